"""The bundled model reads digits as people send them."""

from contextlib import suppress

import numpy as np
import pytest

from digits.errors import NotADigitError
from digits.imaging.normalise import read_digit
from digits.models.litert import LiteRT
from local.checkout import BUNDLED_FOLDER
from tests.conftest import ROOT
from training.input import Examples
from training.pictures.variants import KINDS, render


@pytest.fixture(scope="module")
def starter() -> Examples:
    with np.load(ROOT / "data" / "starter.npz") as npz:
        return Examples(npz["x_test"][:100], npz["y_test"][:100].astype(np.int64))


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_the_bundled_model_reads_each_kind_of_picture(
    kind: str, starter: Examples
) -> None:
    model = LiteRT((BUNDLED_FOLDER / "model.tflite").read_bytes())
    rngs = np.random.default_rng(0).spawn(len(starter))
    correct = 0
    for digit, label, rng in zip(starter.images, starter.labels, rngs, strict=True):
        picture = render(kind, digit, rng)
        with suppress(NotADigitError):
            logits, _ = model.predict(read_digit(picture))
            correct += logits.argmax() == label
    assert correct > 90
