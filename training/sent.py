"""Pictures as they are sent, and what a model makes of them: PNG in, digit out, by the way that serving takes."""

import io
from collections.abc import Iterable

import numpy as np
from PIL import Image

from digits.errors import DigitsError
from digits.images import SIZE, read_digit
from digits.png import Pixels
from training.evaluate import Answers, Images, litert_answers

# Of a picture that never gets to a model.
REFUSED = -np.inf


def encode(picture: Image.Image) -> bytes:
    """A PNG, made fast rather than small."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def read(pngs: Iterable[bytes]) -> list[Pixels | None]:
    """The digit found on each, (28, 28) uint8; None where the service refuses the picture."""
    found: list[Pixels | None] = []
    for data in pngs:
        try:
            found.append(read_digit(data))
        except DigitsError:
            found.append(None)
    return found


def answers(model: bytes, digits: list[Pixels | None]) -> Answers:
    """What an exported model answers; a picture that was refused has the score `REFUSED`, and is nobody's digit."""
    blank = np.zeros((SIZE, SIZE), np.uint8)
    images: Images = np.array([blank if digit is None else digit for digit in digits], np.uint8).reshape(-1, SIZE, SIZE)
    given = litert_answers(model, images)
    given.scores[[digit is None for digit in digits]] = REFUSED
    return given
