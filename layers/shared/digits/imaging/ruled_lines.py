"""Ruled and squared paper: its lines, taken from under the ink."""

import numpy as np

from digits.arrays import Floats, Integers, Mask

# How steep a line may be: 15 degrees.
_STEEPEST = 0.27
_SLOPES = np.linspace(-_STEEPEST, _STEEPEST, 109)
# A line has ink in most of each of so many pieces of the width, but for one where it may be hidden.
_PIECES = 8
_DENSEST = 0.6
# The bar of a seven is a line, too, but there is only one.
_FEWEST = 2
_THICKEST = 5  # pixels
_GLINTS = 8
_SMALLEST_SIDE = 24  # pixels


def without_lines(ink: Floats, strong: float) -> Floats:
    """The ink without lines that cross the whole image and run nearly along its rows or its columns.

    Args:
        ink: (height, width) float32, on 0.
        strong: how strong the strongest of it is, by `extremes`.

    Returns:
        The same shape; where a line was, the lesser of what is above and below it, so
        that strokes that cross it stay.
    """
    return _without_rows(_without_rows(ink, strong).T, strong).T


def extremes(values: Floats) -> tuple[float, float]:
    """The least and the greatest, but for the few pixels, one in 600 at most, that may be glints or dead."""
    few = min(values.size // 600, _GLINTS)
    ordered = np.partition(values, (few, values.size - 1 - few), axis=None)
    return float(ordered[few]), float(ordered[-1 - few])


def _without_rows(ink: Floats, strong: float) -> Floats:
    mask = ink > 0.2 * strong
    crosses = mask[:, :2].any() and mask[:, -2:].any()
    if min(ink.shape) < _SMALLEST_SIDE or not crosses:
        return ink
    slope, lines = _find_lines(mask)
    edges = np.diff(lines.astype(np.int8), prepend=0, append=0)
    thickness = (edges == -1).nonzero()[0] - (edges == 1).nonzero()[0]
    if thickness.size < _FEWEST or thickness.max() > _THICKEST:
        return ink
    cleaned = _fill(ink, slope, lines | np.roll(lines, 1) | np.roll(lines, -1))
    # With the lines, most of the ink would be gone: they were strokes.
    return cleaned if extremes(cleaned)[1] > 0.5 * strong else ink


def _find_lines(mask: Mask) -> tuple[float, Mask]:
    """The slope at which most ink lies in lines, and which rows of the image, sheared by it, are lines."""
    height, width = mask.shape
    y, x = mask.nonzero()
    piece = x * _PIECES // width
    rows = height + 2 * _reach(width)
    best, found = -1.0, (0.0, np.zeros(rows, np.bool_))
    for slope in _SLOPES.tolist():
        counts = np.bincount(
            piece * rows + y + _shifts(slope, width)[x], minlength=_PIECES * rows
        )
        # Of the pieces the second emptiest, for one may hide the line.
        densities = np.sort(counts.reshape(_PIECES, rows), axis=0)[1]
        if (score := float(np.square(densities).sum())) > best:
            best, found = score, (slope, densities > _DENSEST * width / _PIECES)
    return found


def _fill(ink: Floats, slope: float, lines: Mask) -> Floats:
    """Replace the lines by the lesser of the nearest rows above and below them, in the image sheared by the slope."""
    height, width = ink.shape
    places = np.arange(height)[:, np.newaxis] + _shifts(slope, width), np.arange(width)
    sheared = np.zeros((lines.size, width), np.float32)
    sheared[places] = ink
    index = np.arange(lines.size)
    above = np.maximum.accumulate(np.where(lines, 0, index))
    below = np.minimum.accumulate(np.where(lines, lines.size - 1, index)[::-1])[::-1]
    filled = np.where(
        lines[:, np.newaxis], np.minimum(sheared[above], sheared[below]), sheared
    )
    cleaned: Floats = filled[places]
    return cleaned


def _reach(width: int) -> int:
    """How far, in rows, the ends of a line may be from its middle."""
    return int(_STEEPEST * width) + 1


def _shifts(slope: float, width: int) -> Integers:
    """By how many rows each column is moved so that lines of a slope lie along the rows."""
    shifts: Integers = np.rint(slope * (np.arange(width) - width / 2)).astype(np.int64)
    return shifts + _reach(width)
