"""The training image has the layout of a checkout."""

import re
from pathlib import Path

from training import bundled

ROOT = Path(__file__).parents[3]


def test_the_image_has_the_layout_of_a_checkout() -> None:
    dockerfile = (ROOT / "training" / "Dockerfile").read_text()
    copies = dict(re.findall(r"^COPY (\S+) (\S+)$", dockerfile, re.MULTILINE))
    model = bundled.FOLDER.relative_to(ROOT).as_posix()
    for folder in ("training", "example", model):
        assert copies[folder] == folder


def test_the_bundled_model_is_in_its_folder() -> None:
    names = {path.name for path in bundled.FOLDER.iterdir()}
    assert names >= {"manifest.json", "model.tflite"}
