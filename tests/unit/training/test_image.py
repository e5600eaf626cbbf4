"""The training image: what it holds, laid out as in a checkout."""

import re
from pathlib import Path

from training import bundled

ROOT = Path(__file__).parents[3]


def test_the_image_holds_the_bundled_model_where_it_is_looked_for() -> None:
    folder = bundled.FOLDER.relative_to(ROOT).as_posix()
    dockerfile = (ROOT / "training" / "Dockerfile").read_text()
    copied = dict(re.findall(r"^COPY (\S+) (\S+)$", dockerfile, re.MULTILINE))
    assert copied[folder] == folder
    assert copied["training"] == "training"
    assert {path.name for path in bundled.FOLDER.iterdir()} >= {
        "manifest.json",
        "model.tflite",
    }
