"""Pictures as they are sent, and what serving finds on them."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from PIL import Image

from digits.arrays import Pixels
from digits.errors import DigitsError, NotADigitError
from digits.imaging.normalise import normalise, read_digit

Picture = TypeVar("Picture")


def encode(picture: Image.Image) -> bytes:
    """A PNG, made fast rather than small."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


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
