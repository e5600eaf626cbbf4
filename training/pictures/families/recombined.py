"""Digits in pieces, side by side, and on top of each other. Digits are (n, 28, 28) uint8."""

import numpy as np
from numpy.random import Generator

from digits.arrays import Pixels
from digits.digit import SIDE

_HALF = SIDE // 2
# In pixels: MNIST's digits leave a frame of this width empty.
_FRAME = 4


def draw_pieces(rng: Generator, digits: Pixels) -> Pixels:
    """Rearrange the quarters of a digit, each turned upside down."""
    digit = digits[rng.integers(len(digits))]
    quarters = [
        digit[:_HALF, :_HALF],
        digit[:_HALF, _HALF:],
        digit[_HALF:, :_HALF],
        digit[_HALF:, _HALF:],
    ]
    order = np.roll(np.arange(4), rng.integers(1, 4))
    turned = [np.rot90(quarters[index], 2) for index in order]
    return np.block([turned[:2], turned[2:]])


def draw_groups(rng: Generator, digits: Pixels) -> Pixels:
    """Put two or three digits in a row or in a column."""
    count = rng.integers(2, 4)
    chosen = digits[rng.integers(len(digits), size=count)]
    framed = chosen[:, _FRAME:-_FRAME, _FRAME:-_FRAME]
    return np.concatenate(list(framed), axis=int(rng.integers(2)))


def draw_overlaid(rng: Generator, digits: Pixels) -> Pixels:
    """Lay three digits on top of each other, each turned by quarter turns."""
    turns = rng.integers(4, size=3)
    chosen = digits[rng.integers(len(digits), size=3)]
    overlaid = np.zeros((SIDE, SIDE), np.uint8)
    for digit, turn in zip(chosen, turns, strict=True):
        overlaid = np.maximum(overlaid, np.rot90(digit, turn))
    return overlaid
