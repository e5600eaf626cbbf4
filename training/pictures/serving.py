"""Pictures as clients send them, preprocessed as serving does."""

import io
from dataclasses import dataclass

from PIL import Image

from digits.arrays import Pixels
from digits.errors import DigitsError, NotADigitError
from digits.imaging import png
from digits.imaging.normalise import normalise


@dataclass(frozen=True)
class Preprocessed:
    """What serving makes of a picture before the network sees it.

    Attributes:
        digit: (28, 28) uint8, the network's input; None if the picture holds no ink.
        is_refused: whether serving refuses the picture, whatever a network's score.
    """

    digit: Pixels | None
    is_refused: bool = False


def preprocess_png(data: bytes) -> Preprocessed:
    """Decode and normalise a PNG."""
    try:
        picture = png.decode(data)
    except DigitsError:
        return Preprocessed(None, is_refused=True)
    return preprocess(picture)


def preprocess(picture: Pixels) -> Preprocessed:
    """Normalise a grey picture. The result is that of its PNG, without the time to encode."""
    try:
        return Preprocessed(normalise(picture))
    except NotADigitError as error:
        return Preprocessed(error.guess, is_refused=True)


def encode_png(picture: Image.Image) -> bytes:
    """Encode fast rather than small."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
