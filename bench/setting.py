"""What the measured programs run with: their environment, the network, the pictures, the event."""

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
_PYTHONPATH = (ROOT / "layers/shared", ROOT / "functions/predict", PEERS)


@dataclass(frozen=True)
class Setting:
    """A folder with what a benchmark needs.

    Attributes:
        folder: where the files are.
        model: the network as `model.keras` and `model.onnx`, without the suffix.
        small: a PNG of 28x28 pixels, like MNIST's.
        large: a PNG of 1000x1000 pixels.
    """

    folder: Path
    model: Path
    small: Path
    large: Path

    def environment(self, **variables: str) -> Mapping[str, str]:
        """Variables of a measured program."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": os.pathsep.join(map(str, _PYTHONPATH)),
            "DIGITS_STORE": (self.folder / "store").as_uri(),
            "POWERTOOLS_SERVICE_NAME": "predict",
            "POWERTOOLS_METRICS_NAMESPACE": "Digits",
            "MODEL": str(self.model),
            "LITERT_MODEL": str(BUNDLED_FOLDER / "model.tflite"),
            # Hide TensorFlow's remarks.
            "TF_CPP_MIN_LOG_LEVEL": "3",
            # BentoML must not report its use.
            "BENTOML_DO_NOT_TRACK": "true",
            **variables,
        }


def prepare(folder: Path) -> Setting:
    """Write the network and the pictures.

    The network has the architecture of the bundled model, untrained: the weights make no
    difference to the time.
    """
    model, small, large = folder / "model", folder / "small.png", folder / "large.png"
    small.write_bytes((ROOT / "example" / "8.png").read_bytes())
    saved, onnx = f"{model}.keras", f"{model}.onnx"
    _run(sys.executable, "-m", "bench.export_keras", small, large, saved)
    _run(PEERS_PYTHON, PEERS / "export_onnx.py", saved, onnx)
    return Setting(folder, model, small, large)


def event(png: Path) -> dict[str, Any]:
    """The event that API Gateway makes of a PNG."""
    sample = json.loads((ROOT / "events" / "predict.json").read_bytes())
    body = base64.b64encode(png.read_bytes()).decode()
    return {**sample, "body": body, "isBase64Encoded": True}


def _run(*command: str | Path) -> None:
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(run.stderr)
