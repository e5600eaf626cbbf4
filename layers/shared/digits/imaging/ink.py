"""The ink on a sheet: what is left of a photograph, a scan or a drawing without its light, noise, lines and specks."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from digits.arrays import Floats, Pixels
from digits.errors import NotADigitError
from digits.imaging.ruled_lines import extremes, without_lines
from digits.imaging.specks import grow, without_specks

Box = tuple[slice, slice]

# In pixels a side: all is found on a copy of `_SIDE` at most, whatever the size of the
# image; the light on a smaller.
_SIDE = 160
_COARSE = 40

# A normal distribution's standard deviation, of its median deviation.
_DEVIATION = 1.4826
# Ink stands out by at least so many grey levels, and so many standard deviations of the noise.
_LEAST_LEVELS, _LEAST_DEVIATIONS = 6, 4
# Of the coarse image: the share that must be paper for its light to be known, and how
# often a surface is fitted, first to the border only.
_ENOUGH_PAPER = 0.05
_FITS, _FITS_TO_EDGE = 5, 2
# On the side where no ink is, beyond such a share of the ink's strength and so many
# standard deviations of the noise: what stands out there is neither uneven light nor
# noise.
_OTHER_SHARE, _OTHER_DEVIATIONS = 0.1, 8
# From the middle to the border, which is at 1.
_EDGE = 0.9
# Of the strongest ink; less may be the blur around a stroke.
_STROKE = 0.3


def isolate(grey: Pixels) -> tuple[Floats, bool]:
    """Find the digit.

    Args:
        grey: (height, width) uint8, dark on light or light on dark.

    Returns:
        (h, w) float32, the ink in the box around it, on 0, of at most 160 pixels a
        side; and whether it may be a digit's, which stands out from noise and is all
        darker than its paper or all lighter.

    Raises:
        NotADigitError: the image is blank.
    """
    small, factor = _reduce(grey)
    ink, box, is_ink = _find(small)
    if (
        factor > 1
    ):  # Once more, in the detail that a digit has which fills little of its image.
        ink, box, _ = _find(_reduce(grey[_around(box, factor)])[0])
    return ink[box], is_ink


def _reduce(grey: Pixels) -> tuple[Pixels, int]:
    factor = -(-max(grey.shape) // _SIDE)
    return (
        np.asarray(Image.fromarray(grey).reduce(factor)) if factor > 1 else grey
    ), factor


def _around(box: Box, factor: int) -> Box:
    """The box and half as much again on each side, in an image `factor` times as large."""
    margin = max(part.stop - part.start for part in box) // 2 + 2
    rows, columns = (
        slice(max(0, part.start - margin) * factor, (part.stop + margin) * factor)
        for part in box
    )
    return rows, columns


def _find(grey: Pixels) -> tuple[Floats, Box, bool]:
    """The ink, the box around the digit, and whether it may be one."""
    ink, strong, is_ink = _ink(grey - _background(grey))
    ink = without_lines(ink, strong)
    strokes = without_specks(ink > _STROKE * extremes(ink)[1], ink)
    rows, columns = (np.flatnonzero(strokes.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return np.where(grow(strokes), ink, np.float32(0)), box, is_ink


def _ink(contrast: Floats) -> tuple[Floats, float, bool]:
    """How far each pixel stands out from the noise, where the most does; the most; and whether it may be a digit's."""
    low, strong = extremes(contrast)
    other = -low
    if other > strong:
        contrast, strong, other = -contrast, other, strong
    if strong < _LEAST_LEVELS:
        raise NotADigitError("Expected an image of a digit. Received a blank one.")
    noise = _noise(contrast)
    is_all = other <= max(_OTHER_SHARE * strong, _OTHER_DEVIATIONS * noise)
    is_ink = is_all and strong >= _LEAST_DEVIATIONS * noise
    hidden = min(2 * noise, strong / 2)
    return np.clip(contrast - hidden, 0, strong - hidden), strong - hidden, is_ink


def _noise(contrast: Floats) -> float:
    """Its standard deviation, on the side where no ink is."""
    other_side = contrast[contrast < 0]
    return -_DEVIATION * float(np.median(other_side)) if other_side.size else 0.0


def _background(grey: Pixels) -> Floats:
    """What the image would be without ink: a smooth surface, and what paper near by has in common beside it."""
    height, width = (min(_COARSE, side) for side in grey.shape)
    coarse = np.asarray(
        Image.fromarray(grey).convert("F").resize((width, height), Image.Resampling.BOX)
    )
    surface = _surface(coarse)
    offset = coarse - surface
    paper = ~grow(np.abs(offset) > max(0.3 * extremes(np.abs(offset))[1], 1))
    if paper.mean() > _ENOUGH_PAPER:
        surface = surface + _blur(offset * paper) / np.maximum(
            _blur(paper), np.float32(1e-3)
        )
    return np.asarray(
        Image.fromarray(surface).resize(
            (grey.shape[1], grey.shape[0]), Image.Resampling.BILINEAR
        )
    )


def _surface(coarse: Floats) -> Floats:
    """A polynomial of second degree, fitted to the border first, where there is seldom ink, then to all near it."""
    y, x = np.meshgrid(
        *(np.linspace(-1, 1, side, dtype=np.float32) for side in coarse.shape),
        indexing="ij",
    )
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    paper = edge = np.maximum(np.abs(x), np.abs(y)) > _EDGE
    fit = np.full_like(coarse, np.median(coarse[edge]))
    for turn in range(_FITS):
        offset = np.abs(coarse - fit)
        paper = offset < max(2.0, 2.5 * _DEVIATION * float(np.median(offset[paper])))
        if turn < _FITS_TO_EDGE:
            paper &= edge
        flat = terms[:, paper]
        # A little ridge: on a narrow image the terms are not independent.
        factors = np.linalg.lstsq(
            flat @ flat.T + 1e-3 * np.eye(len(terms)), flat @ coarse[paper], rcond=None
        )[0]
        fit = np.tensordot(factors, terms, 1).astype(np.float32)
    return fit


def _blur(values: npt.NDArray[np.generic]) -> Floats:
    """By a normal distribution of 15 % of the longer side."""
    sigma = 0.15 * max(values.shape)
    down, across = (
        np.exp(-0.5 * ((np.arange(side)[:, np.newaxis] - np.arange(side)) / sigma) ** 2)
        for side in values.shape
    )
    blurred: Floats = (down @ values @ across).astype(np.float32)
    return blurred
