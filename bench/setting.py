"""Where and with what the peers run: their environment, the network, and what they are asked."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.checkout import BUNDLED_FOLDER, ROOT

PEERS = ROOT / "bench" / "peers"
PEERS_PYTHON = ROOT / ".venv" / "bench" / "bin" / "python"


@dataclass(frozen=True)
class Setting:
    """A folder with what a benchmark needs.

    Attributes:
        model: the network as `model.keras` and `model.onnx`, without the suffix.
        small: a PNG of 28x28 pixels, like MNIST's.
        large: one of 1000x1000.
    """

    folder: Path

    @property
    def model(self) -> Path:  # noqa: D102
        return self.folder / "model"

    @property
    def small(self) -> Path:  # noqa: D102
        return self.folder / "small.png"

    @property
    def large(self) -> Path:  # noqa: D102
        return self.folder / "large.png"

    def environment(self, **more: str) -> Mapping[str, str]:
        """Variables for whoever answers."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": os.pathsep.join(
                map(str, (ROOT / "layers/shared", ROOT / "functions/predict", PEERS))
            ),
            "DIGITS_STORE": (self.folder / "store").as_uri(),
            "POWERTOOLS_SERVICE_NAME": "predict",
            "POWERTOOLS_METRICS_NAMESPACE": "Digits",
            "MODEL": str(self.model),
            "LITERT_MODEL": str(BUNDLED_FOLDER / "model.tflite"),
            # TensorFlow's remarks.
            "TF_CPP_MIN_LOG_LEVEL": "3",
            # It tells nobody of it.
            "BENTOML_DO_NOT_TRACK": "true",
            **more,
        }


def prepare(folder: Path) -> Setting:
    """Write the network and the pictures.

    The network is the bundled one's, with weights of no training: they make no
    difference to the time.
    """
    setting = Setting(folder)
    digit = ROOT / "example" / "8.png"
    setting.small.write_bytes(digit.read_bytes())
    _python(
        sys.executable,
        "-m",
        "bench.export_keras",
        digit,
        setting.large,
        f"{setting.model}.keras",
    )
    _python(
        PEERS_PYTHON,
        PEERS / "export_onnx.py",
        f"{setting.model}.keras",
        f"{setting.model}.onnx",
    )
    return setting


def event(png: Path) -> dict[str, Any]:
    """What API Gateway makes of a PNG."""
    sample = json.loads((ROOT / "events" / "predict.json").read_bytes())
    return {
        **sample,
        "body": base64.b64encode(png.read_bytes()).decode(),
        "isBase64Encoded": True,
    }


def _python(*command: object) -> None:
    run = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise SystemExit(run.stderr)
