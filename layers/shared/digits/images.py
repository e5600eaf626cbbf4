"""PNG bytes to the 28x28 digit that the network sees, in training, evaluation and serving alike."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from digits import png
from digits.errors import NotADigitError
from digits.png import Pixels

# MNIST's geometry, in pixels: a digit is scaled into BOX x BOX and lies in SIZE x SIZE with its mass around CENTRE.
SIZE = 28
BOX = 20
CENTRE = 14

# What the ink of MNIST reaches.
_PEAK = 250


def read_digit(data: bytes) -> Pixels:
    """Read a PNG and find the digit on it.

    Args:
        data: a PNG of any colour type, bit depth and interlacing.

    Returns:
        (28, 28) uint8, light ink on 0. May be read-only.

    Raises:
        InvalidImageError: the bytes are not a whole, undamaged PNG.
        ImageTooLargeError: too many bytes or pixels, as `png.decode`.
        NotADigitError: the image is blank.
    """
    return normalise(png.decode(data))


def normalise(grey: Pixels) -> Pixels:
    """Make an image of a digit into one of MNIST's kind; one that is of that kind is returned as it is.

    As MNIST was made: "size normalized to fit in a 20x20 pixel box while preserving their aspect ratio", then placed
    "in a 28x28 image by computing the center of mass of the pixels, and translating the image so as to position this
    point at the center" (LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/).

    Args:
        grey: (height, width) uint8, dark on light or light on dark.

    Returns:
        (28, 28) uint8, light ink on 0, the lightest at 255.

    Raises:
        NotADigitError: all pixels are alike.
    """
    if _is_normal(grey):
        return grey
    return _centre(_scale(_crop(_ink(grey))))


def _is_normal(grey: Pixels) -> bool:
    """Whether an image is like MNIST's, all 70,000 of which pass.

    Theirs have a long side of 19 or 20, the centre of mass within 0.52 of `CENTRE` and a peak of 254 or 255.
    """
    if grey.shape != (SIZE, SIZE) or grey.max() < _PEAK:
        return False
    profiles = grey.sum(axis=0), grey.sum(axis=1)
    sides = [np.ptp(profile.nonzero()[0]) + 1 for profile in profiles]
    return BOX - 2 <= max(sides) <= BOX and all(abs(_mass_centre(profile) - CENTRE) <= 1 for profile in profiles)


def _ink(grey: Pixels) -> Pixels:
    """How far each pixel is from the background, towards the ink's side; what most of the border is, is background."""
    border = np.concatenate((grey[0], grey[-1], grey[:, 0], grey[:, -1]))
    background = np.uint8(np.median(border))
    if grey.mean() < background:
        grey, background = 255 - grey, 255 - background
    return np.maximum(grey, background) - background


def _crop(ink: Pixels) -> Pixels:
    """The box around all ink of over a quarter of the strongest: less may be the blur around a stroke."""
    strongest = ink.max()
    if not strongest:
        raise NotADigitError("Expected an image of a digit. Received a blank one.")
    strokes = ink > strongest // 4
    rows, columns = strokes.any(axis=1).nonzero()[0], strokes.any(axis=0).nonzero()[0]
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _scale(ink: Pixels) -> npt.NDArray[np.float32]:
    """The ink in `BOX` x `BOX`, with its aspect ratio, from 0 to 255."""
    ratio = BOX / max(ink.shape)
    height, width = (max(1, round(side * ratio)) for side in ink.shape)
    # In floating point, because a thin stroke of a large image fades to less than 1 before it is stretched.
    scaled = np.asarray(Image.fromarray(ink).convert("F").resize((width, height), Image.Resampling.BOX))
    return scaled * np.float32(255 / scaled.max())


def _centre(ink: npt.NDArray[np.float32]) -> Pixels:
    """The ink in `SIZE` x `SIZE`, with its mass in the middle as far as there is room."""
    digit = np.zeros((SIZE, SIZE), np.uint8)
    digit[_place(ink.sum(axis=1)), _place(ink.sum(axis=0))] = ink.round()
    return digit


def _place(profile: npt.NDArray[np.float32]) -> slice:
    start = min(max(round(CENTRE - _mass_centre(profile)), 0), SIZE - profile.size)
    return slice(start, start + profile.size)


def _mass_centre(profile: npt.NDArray[Any]) -> float:
    return float(profile @ np.arange(profile.size) / profile.sum())
