"""PNG bytes to the 28x28 digit of the network, in training, evaluation and serving alike."""

import numpy as np
from PIL import Image

from digits.arrays import Floats, Pixels
from digits.digit import SIDE
from digits.errors import NotADigitError
from digits.imaging import ink, png

# MNIST's geometry, in pixels: a digit fills a box of BOX x BOX, and its centre of mass lies
# at CENTRE in an image of SIDE x SIDE.
BOX = 20
CENTRE = 14

# All 70,000 images of MNIST pass these limits. Their longer sides are 19 or 20, their centres
# of mass are within 0.52 of `CENTRE`, and their peaks are 254 or 255.
_BOX_TOLERANCE = 2
_CENTRE_TOLERANCE = 1
_MIN_PEAK = 250

# Two weights per pixel, for sums (1) and for first moments (the pixel's position). The
# products with an image are exact in float32, which has 24 bits of precision: no product
# exceeds 28 * 28 * 27 * 255, a number of 23 bits.
_WEIGHTS = np.array([np.ones(SIDE), np.arange(SIDE)], np.float32)


def read_digit(data: bytes) -> Pixels:
    """Read a PNG and find the digit in the picture.

    Args:
        data: a PNG of any colour type, bit depth and interlacing.

    Returns:
        (28, 28) uint8, light ink on 0. May be read-only.

    Raises:
        InvalidImageError: the bytes are not a whole, undamaged PNG.
        ImageTooLargeError: too many bytes or pixels, as in `png.decode`.
        NotADigitError: as in `normalise`.
    """
    return normalise(png.decode(data))


def normalise(grey: Pixels) -> Pixels:
    """Give an image of a digit the form of MNIST's images.

    An image that has this form is returned as is.

    As MNIST was made: "size normalized to fit in a 20x20 pixel box while preserving
        their aspect ratio", then placed "in a 28x28 image by computing the center of
        mass of the pixels, and translating the image so as to position this point at
        the center" (LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/).

    Args:
        grey: (height, width) uint8, dark on light or light on dark.

    Returns:
        (28, 28) uint8, light ink on 0, the lightest at 255.

    Raises:
        NotADigitError: the image is blank; or the image has more than ink on a
            background, and then the error has a `guess`.
    """
    if _is_normal(grey):
        return grey
    digit_ink = ink.isolate(grey)
    digit = _centre(_scale(digit_ink.crop()))
    if not digit_ink.is_plausible:
        raise NotADigitError(
            "This picture does not look like a digit: it has both lighter and darker parts "
            "than the background, or too much noise. Send a picture of one handwritten "
            "digit on an even background.",
            guess=digit,
        )
    return digit


def _is_normal(grey: Pixels) -> bool:
    """Whether an image has the form of MNIST's images."""
    if grey.shape != (SIDE, SIDE) or grey.max() < _MIN_PEAK:
        return False
    pixels = grey.astype(np.float32)
    columns = _WEIGHTS @ pixels
    (mass, moment_x), (moment_y, _) = (columns @ _WEIGHTS.T).tolist()
    distance_x = abs(moment_x / mass - CENTRE)
    distance_y = abs(moment_y / mass - CENTRE)
    if max(distance_x, distance_y) > _CENTRE_TOLERANCE:
        return False
    rows = _WEIGHTS @ pixels.T
    longer_side = max(_extent(columns[0]), _extent(rows[0]))
    return BOX - _BOX_TOLERANCE <= longer_side <= BOX


def _extent(profile: Floats) -> int:
    """The number of pixels from the first ink to the last ink."""
    inked = profile.nonzero()[0]
    return int(inked[-1]) - int(inked[0]) + 1


def _scale(strokes: Floats) -> Floats:
    """Scale the ink into `BOX` x `BOX`, with its aspect ratio kept, to values from 0 to 255."""
    ratio = BOX / max(strokes.shape)
    height, width = strokes.shape
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    scaled = np.asarray(Image.fromarray(strokes).resize(size, Image.Resampling.BOX))
    return scaled * np.float32(255 / scaled.max())


def _centre(strokes: Floats) -> Pixels:
    """Place the ink in `SIDE` x `SIDE`, its centre of mass as near to `CENTRE` as fits."""
    rows = _place(strokes.sum(axis=1))
    columns = _place(strokes.sum(axis=0))
    digit = np.zeros((SIDE, SIDE), np.uint8)
    digit[rows, columns] = strokes.round()
    return digit


def _place(profile: Floats) -> slice:
    start = round(CENTRE - _centre_of_mass(profile))
    start = min(max(start, 0), SIDE - profile.size)
    return slice(start, start + profile.size)


def _centre_of_mass(profile: Floats) -> float:
    return float(profile @ np.arange(profile.size) / profile.sum())
