"""Squares of the photographs beside this package."""

import math
from functools import cache
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image

from digits.arrays import Pixels
from training.pictures.families.canvas import SMALLEST_SIDE

_FOLDER = Path(__file__).parents[1] / "photographs"

# In pixels.
_LARGEST_CROP = 224
_SMALLEST_DETAIL = 14
_ENLARGED_DETAIL = 56


def draw_crop(rng: Generator) -> Pixels:
    """Cut a square out of a photograph."""
    return _cut_square(rng, SMALLEST_SIDE, _LARGEST_CROP)


def draw_detail(rng: Generator) -> Pixels:
    """Cut out a small square and enlarge it: an edge, a stalk or a highlight, out of focus."""
    square = Image.fromarray(_cut_square(rng, _SMALLEST_DETAIL, SMALLEST_SIDE))
    size = _ENLARGED_DETAIL, _ENLARGED_DETAIL
    return np.asarray(square.resize(size, Image.Resampling.BICUBIC))


def _cut_square(rng: Generator, smallest: int, largest: int) -> Pixels:
    """Cut out a square of a random size, rotated by quarter turns and mirrored at random."""
    photographs = _load_photographs()
    photograph = photographs[rng.integers(len(photographs))]
    # Small squares are as frequent as large ones, by ratio.
    side = round(math.exp(rng.uniform(math.log(smallest), math.log(largest))))
    height, width = photograph.shape
    top = int(rng.integers(height - side + 1))
    left = int(rng.integers(width - side + 1))
    square = photograph[top : top + side, left : left + side]
    mirrored = square[:: rng.choice([-1, 1])]
    turned = np.rot90(mirrored, int(rng.integers(4)))
    return np.ascontiguousarray(turned)


def find_photographs() -> list[Path]:
    """The files of the photographs, in the order of their names."""
    return sorted(_FOLDER.glob("*.jpg"))


@cache
def _load_photographs() -> list[Pixels]:
    return [np.asarray(Image.open(path)) for path in find_photographs()]
