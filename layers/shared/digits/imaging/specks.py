"""Specks: connected components of the strokes with too little ink to belong to the digit.

Strokes before and after:

    ..###.....         ..###.....
    ..#.#.....         ..#.#.....
    ..#.#.....   ->    ..#.#.....
    ..#.#...#.         ..#.#.....
    ..###.....         ..###.....
"""

import math
from typing import NamedTuple

import numpy as np

from digits.arrays import Floats, Integers, Mask

# A component's share of the heaviest component's ink. The detached bar of a five has more.
_SPECK_SHARE = 0.1


class Runs(NamedTuple):
    """The horizontal runs of a mask, in reading order.

    Attributes:
        starts: (n,) the index of each run's first pixel in the flat mask.
        stops: (n,) the index after each run's last pixel in the flat mask.
        labels: (n,) the label of each run's connected component.
    """

    starts: Integers
    stops: Integers
    labels: Integers


def without_specks(strokes: Mask, ink: Floats) -> Mask:
    """Remove the connected components that hold little ink.

    Components with a gap of one or two pixels between them count as one component.

    Args:
        strokes: (height, width) bool.
        ink: (height, width) float32, how strong the ink is in each pixel.

    Returns:
        (height, width) bool, the strokes without specks.
    """
    runs = label_components(dilate(strokes))
    # A run's ink is the difference of two cumulative sums.
    ink_before = np.append(0, np.cumsum(ink * strokes, dtype=np.float64))
    ink_per_run = ink_before[runs.stops] - ink_before[runs.starts]
    ink_per_component = np.bincount(runs.labels, ink_per_run)
    is_speck = ink_per_component <= _SPECK_SHARE * ink_per_component.max()
    is_kept = ~is_speck[runs.labels]
    return strokes & _fill(runs.starts[is_kept], runs.stops[is_kept], strokes.shape)


def dilate(mask: Mask) -> Mask:
    """Set the neighbours above, below, left and right of each set pixel, too."""
    framed = np.pad(mask, 1)
    above = framed[:-2, 1:-1]
    below = framed[2:, 1:-1]
    left = framed[1:-1, :-2]
    right = framed[1:-1, 2:]
    dilated: Mask = above | below | left | right | mask
    return dilated


def label_components(mask: Mask) -> Runs:
    """Label the connected components of a mask. Diagonal neighbours are connected.

    A component's label is the index of its first run. The labelling works on runs,
    because a mask has far fewer runs than pixels.
    """
    # A clear column after each row ends the last run of the row.
    framed = np.pad(mask, ((0, 0), (0, 1)))
    stride = framed.shape[1]
    steps = np.diff(framed.ravel().view(np.int8), prepend=0)
    starts = (steps == 1).nonzero()[0]
    stops = (steps == -1).nonzero()[0]
    upper, lower = _touching_runs(starts, stops, stride)
    labels = _merge_labels(starts.size, upper, lower)
    # One clear column per row above a run is not in the flat mask.
    rows = starts // stride
    return Runs(starts - rows, stops - rows, labels)


def _touching_runs(
    starts: Integers, stops: Integers, stride: int
) -> tuple[Integers, Integers]:
    """The upper and the lower run of each pair that touches, as indices of runs."""
    # One row further down, a run touches the runs from `first` to `last - 1`.
    first = np.searchsorted(stops, starts + stride, "left")
    last = np.searchsorted(starts, stops + stride, "right")
    count = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(starts.size), count)
    # Within the pairs of one upper run, the lower runs are consecutive.
    first_pair = np.cumsum(count) - count
    lower = np.arange(upper.size) + np.repeat(first - first_pair, count)
    return upper, lower


def _merge_labels(count: int, upper: Integers, lower: Integers) -> Integers:
    """Give each of `count` runs the least index among the runs of its component."""
    labels: Integers = np.arange(count)
    while True:
        upper_labels = labels[upper]
        lower_labels = labels[lower]
        if np.array_equal(upper_labels, lower_labels):
            return labels
        least = np.minimum(upper_labels, lower_labels)
        np.minimum.at(labels, upper_labels, least)
        np.minimum.at(labels, lower_labels, least)
        labels = _follow_labels(labels)


def _follow_labels(labels: Integers) -> Integers:
    """Replace each label by the label that it points to, until no label changes."""
    while True:
        followed = labels[labels]
        if np.array_equal(followed, labels):
            return labels
        labels = followed


def _fill(starts: Integers, stops: Integers, shape: tuple[int, ...]) -> Mask:
    """Draw the mask of some runs."""
    steps = np.zeros(math.prod(shape) + 1, np.int8)
    # Added, because a run may start at the index where the run of the row above stops.
    np.add.at(steps, starts, 1)
    np.add.at(steps, stops, -1)
    filled: Mask = steps[:-1].cumsum().astype(np.bool_).reshape(shape)
    return filled
