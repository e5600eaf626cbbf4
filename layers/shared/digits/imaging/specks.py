"""Specks, taken away: parts of a picture that hold too little of its ink to be of the digit."""

import numpy as np

from digits.arrays import Floats, Integers, Mask

# Of the largest part's ink. The bar of a five that does not touch it has more.
_SMALLEST = 0.1


def without_specks(strokes: Mask, ink: Floats) -> Mask:
    """Those connected parts of the strokes that hold a fair share of the ink; parts a pixel apart are one."""
    starts, stops, parts = _runs(grow(strokes))
    before = np.append(0, np.cumsum(ink * strokes, dtype=np.float64))
    mass = np.bincount(parts, before[stops] - before[starts])
    kept = (mass > _SMALLEST * mass.max())[parts]
    edges = np.zeros(strokes.size + 1, np.int8)
    # Added up: a run may start where the one before, at the end of a row, stops.
    np.add.at(edges, starts[kept], 1)
    np.add.at(edges, stops[kept], -1)
    inside: Mask = edges[:-1].cumsum().astype(np.bool_).reshape(strokes.shape)
    return strokes & inside


def grow(mask: Mask) -> Mask:
    """The mask and its neighbours above, below, left and right."""
    framed = np.pad(mask, 1)
    grown: Mask = (
        framed[:-2, 1:-1]
        | framed[2:, 1:-1]
        | framed[1:-1, :-2]
        | framed[1:-1, 2:]
        | mask
    )
    return grown


def _runs(mask: Mask) -> tuple[Integers, Integers, Integers]:
    """The horizontal runs of a mask: where each starts and stops in the flat mask, and the connected part it is in.

    Parts have numbers of their own, not all of which are used. Runs rather than pixels,
    because there are few of them.
    """
    width = mask.shape[1]
    # A column between the rows, so that no run goes on in the next one.
    framed = np.pad(mask, ((0, 0), (0, 1)))
    steps = np.diff(framed.ravel().view(np.int8), prepend=0)
    starts, stops = (steps == 1).nonzero()[0], (steps == -1).nonzero()[0]
    upper, lower = _touching(starts, stops, width + 1)
    parts = np.arange(starts.size)
    while not np.array_equal(parts[upper], parts[lower]):
        least = np.minimum(parts[upper], parts[lower])
        np.minimum.at(parts, parts[upper], least)
        np.minimum.at(parts, parts[lower], least)
        while not np.array_equal(parts, parts[parts]):
            parts = parts[parts]
    rows = starts // (width + 1)
    return starts - rows, stops - rows, parts


def _touching(
    starts: Integers, stops: Integers, width: int
) -> tuple[Integers, Integers]:
    """Each pair of runs that touch, if only at a corner, the first above the second; by their numbers."""
    first = np.searchsorted(stops, starts + width, "left")
    last = np.searchsorted(starts, stops + width, "right")
    count = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(starts.size), count)
    lower = (
        np.arange(upper.size)
        - np.repeat(np.cumsum(count) - count, count)
        + first[upper]
    )
    return upper, lower
