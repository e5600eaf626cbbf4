"""Pictures as they are sent, and what a model makes of them: PNG in, digit out, by the way that serving takes."""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from PIL import Image

from digits.errors import DigitsError, NotADigitError
from digits.images import SIZE, normalise, read_digit
from digits.png import Pixels
from training import negatives
from training.evaluate import Answers, Images, litert_answers

Picture = TypeVar("Picture")
# The score of what is no digit, whatever a model makes of it.
REFUSED = -np.inf


def encode(picture: Image.Image) -> bytes:
    """A PNG, made fast rather than small."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def others(family: str, count: int) -> Iterator[bytes]:
    """So many pictures of a family of `negatives.REPORTED`, as PNG; the same each time."""
    return (encode(Image.fromarray(picture)) for picture in negatives.reported(family, count, seed=0))


@dataclass(frozen=True)
class Found:
    """What the service finds on a picture.

    Attributes:
        digit: (28, 28) uint8, what is most like a digit; None if nothing is.
        is_refused: whether no model's score can make it be taken for one.
    """

    digit: Pixels | None
    is_refused: bool = False


def read(pngs: Iterable[bytes]) -> list[Found]:
    """What is found on each."""
    return [find(data) for data in pngs]


def find(png: bytes) -> Found:
    """What is found on a PNG."""
    return _find(read_digit, png)


def find_on(picture: Pixels) -> Found:
    """What is found on a grey picture: the same as on its PNG, without the time to make one."""
    return _find(normalise, picture)


def _find(read: Callable[[Picture], Pixels], picture: Picture) -> Found:
    try:
        return Found(read(picture))
    except NotADigitError as error:
        return Found(error.guess, is_refused=True)
    except DigitsError:
        return Found(None, is_refused=True)


def answers(model: bytes, found: list[Found]) -> Answers:
    """What an exported model answers, as to `?accept=any`.

    A picture that is refused has the score `REFUSED`, and one on which nothing is found no logits but NaN.
    """
    blank = np.zeros((SIZE, SIZE), np.uint8)
    images: Images = np.array([blank if it.digit is None else it.digit for it in found], np.uint8)
    given = litert_answers(model, images.reshape(-1, SIZE, SIZE))
    given.scores[[it.is_refused for it in found]] = REFUSED
    given.logits[[it.digit is None for it in found]] = np.nan
    return given
