"""PNG bytes to the 28x28 digit that the network sees, in training, evaluation and serving alike."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from digits.arrays import Floats, Pixels
from digits.digit import SIDE
from digits.errors import NotADigitError
from digits.imaging import ink, png

# MNIST's geometry, in pixels: a digit is scaled into BOX x BOX and lies in SIDE x SIDE
# with its mass around CENTRE.
BOX = 20
CENTRE = 14

# What the ink of MNIST reaches.
_PEAK = 250
# A product with it gives sums, and sums weighted by their places; exactly, since 28 *
# 28 * 27 * 255 has 23 bits, and a float32 holds 24.
_MOMENTS = np.array([np.ones(SIDE), np.arange(SIDE)], np.float32)


def read_digit(data: bytes) -> Pixels:
    """Read a PNG and find the digit on it.

    Args:
        data: a PNG of any colour type, bit depth and interlacing.

    Returns:
        (28, 28) uint8, light ink on 0. May be read-only.

    Raises:
        InvalidImageError: the bytes are not a whole, undamaged PNG.
        ImageTooLargeError: too many bytes or pixels, as `png.decode`.
        NotADigitError: as `normalise`.
    """
    return normalise(png.decode(data))


def normalise(grey: Pixels) -> Pixels:
    """Make an image of a digit into one of MNIST's kind; one that is of that kind is returned as it is.

    As MNIST was made: "size normalized to fit in a 20x20 pixel box while preserving
        their aspect ratio", then placed "in a 28x28 image by computing the center of
        mass of the pixels, and translating the image so as to position this point at
        the center" (LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/).

    Args:
        grey: (height, width) uint8, dark on light or light on dark.

    Returns:
        (28, 28) uint8, light ink on 0, the lightest at 255.

    Raises:
        NotADigitError: the image is blank; or it shows more than ink on paper, and then
            the error has a `guess`.
    """
    if _is_normal(grey):
        return grey
    strokes, is_ink = ink.isolate(grey)
    digit = _centre(_scale(strokes))
    if not is_ink:
        raise NotADigitError(
            "Expected ink on paper, all of it darker than that or all lighter. Received a picture of more than that, "
            "or of noise. For the best guess, add ?accept=any.",
            guess=digit,
        )
    return digit


def _is_normal(grey: Pixels) -> bool:
    """Whether an image is like MNIST's, all 70,000 of which pass.

    Theirs have a long side of 19 or 20, the centre of mass within 0.52 of `CENTRE` and
    a peak of 254 or 255.
    """
    if grey.shape != (SIDE, SIDE) or grey.max() < _PEAK:
        return False
    ink = grey.astype(np.float32)
    down, across = _MOMENTS @ ink, _MOMENTS @ ink.T
    (mass, x), (y, _) = (down @ _MOMENTS.T).tolist()
    is_centred = max(abs(x / mass - CENTRE), abs(y / mass - CENTRE)) <= 1
    return is_centred and BOX - 2 <= max(_extent(down[0]), _extent(across[0])) <= BOX


def _extent(profile: Floats) -> int:
    """From the first ink to the last."""
    inked = profile.nonzero()[0]
    return int(inked[-1]) - int(inked[0]) + 1


def _scale(ink: Floats) -> Floats:
    """The ink in `BOX` x `BOX`, with its aspect ratio, from 0 to 255."""
    ratio = BOX / max(ink.shape)
    height, width = (max(1, round(side * ratio)) for side in ink.shape)
    scaled = np.asarray(
        Image.fromarray(ink).resize((width, height), Image.Resampling.BOX)
    )
    return scaled * np.float32(255 / scaled.max())


def _centre(ink: Floats) -> Pixels:
    """The ink in `SIDE` x `SIDE`, with its mass in the middle as far as there is room."""
    digit = np.zeros((SIDE, SIDE), np.uint8)
    digit[_place(ink.sum(axis=1)), _place(ink.sum(axis=0))] = ink.round()
    return digit


def _place(profile: Floats) -> slice:
    start = min(max(round(CENTRE - _mass_centre(profile)), 0), SIDE - profile.size)
    return slice(start, start + profile.size)


def _mass_centre(profile: npt.NDArray[Any]) -> float:
    return float(profile @ np.arange(profile.size) / profile.sum())
