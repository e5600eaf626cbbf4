"""The ink in a photograph, a scan or a drawing, without light, noise, lines and specks.

Grey levels of ink on an unevenly lit background, and the ink (`.` is 0):

    9998888777         ..........
    9998228777         ....65....
    9982288777   ->    ...66.....
    9998288777         ....6.....
    9998288777         ....6.....
    9998888777         ..........
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from digits.arrays import Floats, Mask, Pixels
from digits.errors import NotADigitError
from digits.imaging.ruled_lines import robust_range, without_lines
from digits.imaging.specks import dilate, without_specks

Box = tuple[slice, slice]

# In pixels per side. The ink is found on a reduced copy, so that a large image costs no more
# than a small image. The background is smooth, and needs fewer pixels.
_MAX_SIDE = 160
_MAX_COARSE_SIDE = 40

# A normal distribution's standard deviation is this factor times its median absolute
# deviation (https://en.wikipedia.org/wiki/Median_absolute_deviation). Ink does not move a median.
_DEVIATIONS_PER_MEDIAN = 1.4826

# Weaker contrast than this is a blank image: in grey levels, of 255.
_MIN_LEVELS = 6
# Weaker contrast than this may be noise: in standard deviations of the noise.
_MIN_DEVIATIONS = 4
# The noise floor, in standard deviations of the noise, and at most this share of the peak.
_FLOOR_DEVIATIONS = 2
_MAX_FLOOR_SHARE = 0.5
# Contrast of the opposite sign is neither noise nor uneven light when it exceeds both this
# share of the peak and this number of standard deviations of the noise.
_OPPOSITE_SHARE = 0.1
_OPPOSITE_DEVIATIONS = 8

# The threshold of strokes, as a share of the peak. Weaker ink may be blur around a stroke.
_STROKE_SHARE = 0.3

# In the rounds that fit the background, the border of the image has coordinates from here
# to 1; the middle of the image is 0. The first rounds fit to the border only.
_BORDER = 0.9
_ROUNDS = 5
_BORDER_ROUNDS = 2
# A pixel is background when its residual is below this number of standard deviations, or
# below this number of grey levels.
_BACKGROUND_MEDIANS = 2.5 * _DEVIATIONS_PER_MEDIAN
_BACKGROUND_LEVELS = 2.0
# Keeps the fit stable on a narrow image, where the terms depend on each other.
_RIDGE = 1e-3
# A residual over this share of the largest residual, and over this grey level, is ink.
_RESIDUAL_SHARE = 0.3
_RESIDUAL_LEVELS = 1
# With less background than this share of the image, the residuals say little about the light.
_MIN_BACKGROUND = 0.05
# The standard deviation of the blur that smooths the residuals, as a share of the longer side.
_BLUR_SHARE = 0.15
# Where the blur has less weight than this, no background is near.
_MIN_WEIGHT = np.float32(1e-3)


class Ink(NamedTuple):
    """The ink in an image.

    Attributes:
        pixels: (height, width) float32, how strong the ink is; 0 on the background.
        box: the bounding box of the digit.
        is_plausible: whether the ink may be a digit. The ink of a digit stands out from
            noise, and all of it is darker than the background, or all of it lighter.
    """

    pixels: Floats
    box: Box
    is_plausible: bool

    def crop(self) -> Floats:
        """The ink inside the bounding box."""
        return self.pixels[self.box]


class _Signal(NamedTuple):
    """The contrast that exceeds the noise floor.

    Attributes:
        pixels: (height, width) float32, from 0 to `peak`.
        peak: the upper limit of the contrast, without outliers.
        is_plausible: as in `Ink`.
    """

    pixels: Floats
    peak: float
    is_plausible: bool


def isolate(grey: Pixels) -> Ink:
    """Find the ink of the digit.

    Args:
        grey: (height, width) uint8, dark on light or light on dark.

    Returns:
        The ink, in a part of the image that is reduced to at most 160 pixels per side.

    Raises:
        NotADigitError: the image is blank.
    """
    factor = _reduction(grey)
    ink = _find_ink(_reduce(grey, factor))
    if factor == 1:
        return ink
    # A digit that fills little of a large image has more detail in a second pass.
    part = grey[_around(ink.box, factor)]
    detailed = _find_ink(_reduce(part, _reduction(part)))
    return Ink(detailed.pixels, detailed.box, ink.is_plausible)


def _reduction(grey: Pixels) -> int:
    """The factor that reduces an image to at most `_MAX_SIDE` pixels per side."""
    return -(-max(grey.shape) // _MAX_SIDE)


def _reduce(grey: Pixels, factor: int) -> Pixels:
    if factor == 1:
        return grey
    return np.asarray(Image.fromarray(grey).reduce(factor))


def _around(box: Box, factor: int) -> Box:
    """The box with a margin of half its longer side, in the image before the reduction."""
    rows, columns = box
    longer_side = max(rows.stop - rows.start, columns.stop - columns.start)
    margin = longer_side // 2 + 2
    return _widen(rows, margin, factor), _widen(columns, margin, factor)


def _widen(side: slice, margin: int, factor: int) -> slice:
    start = max(0, side.start - margin)
    return slice(start * factor, (side.stop + margin) * factor)


def _find_ink(grey: Pixels) -> Ink:
    contrast = grey - _estimate_background(grey)
    signal = _above_noise(contrast)
    ink = without_lines(signal.pixels, signal.peak)
    _, peak = robust_range(ink)
    strokes = without_specks(ink > _STROKE_SHARE * peak, ink)
    # The blur next to a stroke belongs to the stroke.
    pixels = np.where(dilate(strokes), ink, np.float32(0))
    return Ink(pixels, _bounding_box(strokes), signal.is_plausible)


def _bounding_box(mask: Mask) -> Box:
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _above_noise(contrast: Floats) -> _Signal:
    """Make the ink positive, and subtract the noise floor.

    Args:
        contrast: (height, width) float32, the image less its background.
    """
    low, high = robust_range(contrast)
    if -low > high:
        contrast, low, high = -contrast, -high, -low
    if high < _MIN_LEVELS:
        raise NotADigitError(
            "This picture is blank. Send a picture of one handwritten digit."
        )
    noise = _noise(contrast)
    opposite_limit = max(_OPPOSITE_SHARE * high, _OPPOSITE_DEVIATIONS * noise)
    is_plausible = -low <= opposite_limit and high >= _MIN_DEVIATIONS * noise
    floor = min(_FLOOR_DEVIATIONS * noise, _MAX_FLOOR_SHARE * high)
    peak = high - floor
    return _Signal(np.clip(contrast - floor, 0, peak), peak, is_plausible)


def _noise(contrast: Floats) -> float:
    """The standard deviation of the noise, from the negative contrast, which holds no ink."""
    negative = contrast[contrast < 0]
    if not negative.size:
        return 0.0
    return -_DEVIATIONS_PER_MEDIAN * float(np.median(negative))


def _estimate_background(grey: Pixels) -> Floats:
    """Estimate the image without ink: a smooth surface plus the light near each pixel."""
    coarse = _to_coarse(grey)
    surface = _fit_surface(coarse)
    residual = coarse - surface
    distance = np.abs(residual)
    _, largest = robust_range(distance)
    is_ink = distance > max(_RESIDUAL_SHARE * largest, _RESIDUAL_LEVELS)
    is_background = ~dilate(is_ink)
    if is_background.mean() > _MIN_BACKGROUND:
        surface = surface + _local_mean(residual, is_background)
    height, width = grey.shape
    image = Image.fromarray(surface)
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def _to_coarse(grey: Pixels) -> Floats:
    height, width = grey.shape
    size = min(_MAX_COARSE_SIDE, width), min(_MAX_COARSE_SIDE, height)
    image = Image.fromarray(grey).convert("F")
    return np.asarray(image.resize(size, Image.Resampling.BOX))


def _fit_surface(coarse: Floats) -> Floats:
    """Fit a polynomial of second degree to the background by robust least squares.

    The first rounds fit to the border, which seldom has ink. The later rounds fit to all
    pixels that are near the surface of the round before.
    """
    y, x = _coordinates(coarse.shape)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    is_border = np.maximum(np.abs(x), np.abs(y)) > _BORDER
    is_background = is_border
    surface = np.full_like(coarse, np.median(coarse[is_border]))
    for turn in range(_ROUNDS):
        distance = np.abs(coarse - surface)
        typical = float(np.median(distance[is_background]))
        farthest = max(_BACKGROUND_LEVELS, _BACKGROUND_MEDIANS * typical)
        is_background = distance < farthest
        if turn < _BORDER_ROUNDS:
            is_background &= is_border
        factors = _least_squares(terms[:, is_background], coarse[is_background])
        surface = np.tensordot(factors, terms, 1).astype(np.float32)
    return surface


def _coordinates(shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """The y and x of each pixel, from -1 to 1."""
    height, width = shape
    rows = np.linspace(-1, 1, height, dtype=np.float32)
    columns = np.linspace(-1, 1, width, dtype=np.float32)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    return y, x


def _least_squares(terms: Floats, values: Floats) -> Floats:
    """The factors of the terms that come nearest to the values, by ridge regression.

    Args:
        terms: (n_terms, n) float32.
        values: (n,) float32.

    Returns:
        (n_terms,) float64.
    """
    gram = terms @ terms.T + _RIDGE * np.eye(len(terms))
    factors, *_ = np.linalg.lstsq(gram, terms @ values, rcond=None)
    return factors


def _local_mean(values: Floats, mask: Mask) -> Floats:
    """The mean of the masked values near each pixel, by normalised convolution.

    Knutsson and Westin, "Normalized and differential convolution", 1993.
    """
    weights = np.maximum(_blur(mask), _MIN_WEIGHT)
    mean: Floats = _blur(values * mask) / weights
    return mean


def _blur(values: Floats | Mask) -> Floats:
    """Blur with a Gaussian kernel."""
    sigma = _BLUR_SHARE * max(values.shape)
    height, width = values.shape
    down = _gaussian_matrix(height, sigma)
    across = _gaussian_matrix(width, sigma)
    blurred: Floats = (down @ values @ across).astype(np.float32)
    return blurred


def _gaussian_matrix(side: int, sigma: float) -> Floats:
    """(side, side), the weight of each pixel in the blur of each pixel."""
    index = np.arange(side)
    distance = (index[:, np.newaxis] - index) / sigma
    weights: Floats = np.exp(-0.5 * distance**2)
    return weights
