"""Ruled and squared paper: its lines are removed from under the ink.

Ink before and after:

    ....#.....         ....#.....
    ##########         ....#.....
    ....#.....         ....#.....
    ....#.....   ->    ....#.....
    ##########         ....#.....
    ....#.....         ....#.....
"""

import numpy as np

from digits.arrays import Floats, Integers, Mask

# The slopes that lines may have, in rows per column: up to 15 degrees from the horizontal.
_MAX_SLOPE = 0.27
_SLOPES = np.linspace(-_MAX_SLOPE, _MAX_SLOPE, 109)
# A row is a line when all of its segments, except the emptiest one, have this density of
# ink. The exception is for a segment where light or a finger hides the line.
_SEGMENTS = 8
_MIN_DENSITY = 0.6
# The bar of a seven looks like a line, too, but ruled paper has several lines.
_MIN_LINES = 2
_MAX_THICKNESS = 5  # pixels
# In a smaller image, strokes and lines cannot be told apart.
_MIN_SIDE = 24  # pixels

# Shares of the peak: what counts as ink in the search for lines, and what must be left
# when the lines are gone. Lines that hold most of the ink are strokes.
_INK_SHARE = 0.2
_LEFT_SHARE = 0.5

# How many of an image's pixels may be outliers, such as glints and dead pixels.
_PIXELS_PER_OUTLIER = 600
_MAX_OUTLIERS = 8


def without_lines(ink: Floats, peak: float) -> Floats:
    """Remove lines that cross the whole image nearly along its rows or its columns.

    Args:
        ink: (height, width) float32, 0 on the background.
        peak: the upper limit of the ink, by `robust_range`.

    Returns:
        (height, width) float32. A pixel on a line has the lesser of the nearest values
        above and below the line, so that strokes across the line stay.
    """
    without_rows = _without_rows(ink, peak)
    return _without_rows(without_rows.T, peak).T


def robust_range(values: Floats) -> tuple[float, float]:
    """The least and the greatest value, after a few outliers on each side are left out."""
    outliers = min(values.size // _PIXELS_PER_OUTLIER, _MAX_OUTLIERS)
    low, high = outliers, values.size - 1 - outliers
    ordered = np.partition(values, (low, high), axis=None)
    return float(ordered[low]), float(ordered[high])


def _without_rows(ink: Floats, peak: float) -> Floats:
    """Remove the lines nearly along the rows."""
    mask = ink > _INK_SHARE * peak
    crosses = mask[:, :2].any() and mask[:, -2:].any()
    if min(ink.shape) < _MIN_SIDE or not crosses:
        return ink
    slope, is_line = _find_lines(mask)
    if not _are_ruled(is_line):
        return ink
    cleaned = _fill_lines(ink, slope, is_line)
    _, peak_left = robust_range(cleaned)
    return cleaned if peak_left > _LEFT_SHARE * peak else ink


def _find_lines(mask: Mask) -> tuple[float, Mask]:
    """Find the slope at which the most ink lies in lines.

    The score of a slope is the energy of its projection profile, as in a discrete Radon
    transform.

    Returns:
        The slope, in rows per column; and (height + 2 * _max_shift(width),) bool, which
        rows of the image are lines once the image is sheared by the slope.
    """
    height, width = mask.shape
    y, x = mask.nonzero()
    sheared_height = height + 2 * _max_shift(width)
    # Where each pixel counts in a histogram of (segment, row), before the shear.
    cells = x * _SEGMENTS // width * sheared_height + y
    best_score = -1.0
    for slope in _SLOPES.tolist():
        sheared_cells = cells + _shifts(slope, width)[x]
        counts = np.bincount(sheared_cells, minlength=_SEGMENTS * sheared_height)
        counts_per_segment = np.sort(counts.reshape(_SEGMENTS, sheared_height), axis=0)
        second_emptiest = counts_per_segment[1]
        score = float(np.square(second_emptiest).sum())
        if score > best_score:
            best_score, best_slope, profile = score, slope, second_emptiest
    return best_slope, profile > _MIN_DENSITY * width / _SEGMENTS


def _are_ruled(is_line: Mask) -> bool:
    """Whether the lines are as many and as thin as those of ruled paper."""
    steps = np.diff(is_line.astype(np.int8), prepend=0, append=0)
    thickness = (steps == -1).nonzero()[0] - (steps == 1).nonzero()[0]
    return thickness.size >= _MIN_LINES and bool(thickness.max() <= _MAX_THICKNESS)


def _fill_lines(ink: Floats, slope: float, is_line: Mask) -> Floats:
    """Replace each line, and the row on each side of the line, by its surroundings."""
    height, width = ink.shape
    is_line = is_line | np.roll(is_line, 1) | np.roll(is_line, -1)
    rows = np.arange(height)[:, np.newaxis] + _shifts(slope, width)
    columns = np.arange(width)
    sheared = np.zeros((is_line.size, width), np.float32)
    sheared[rows, columns] = ink
    # For each row, the nearest rows above and below that are not lines.
    index = np.arange(is_line.size)
    above = np.maximum.accumulate(np.where(is_line, 0, index))
    from_below = np.where(is_line, is_line.size - 1, index)[::-1]
    below = np.minimum.accumulate(from_below)[::-1]
    lesser = np.minimum(sheared[above], sheared[below])
    filled = np.where(is_line[:, np.newaxis], lesser, sheared)
    cleaned: Floats = filled[rows, columns]
    return cleaned


def _max_shift(width: int) -> int:
    """The most rows between the middle of a line and one of its ends."""
    return int(_MAX_SLOPE * width) + 1


def _shifts(slope: float, width: int) -> Integers:
    """The rows by which each column moves, so that lines of the slope become horizontal."""
    from_middle = np.arange(width) - width / 2
    shifts: Integers = np.rint(slope * from_middle).astype(np.int64)
    return shifts + _max_shift(width)
