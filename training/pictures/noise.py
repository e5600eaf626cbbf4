"""Noise that looks like nature: with the spectrum of natural images, and clouds."""

import numpy as np
from numpy.random import Generator

from digits.arrays import Floats
from digits.digit import SIDE

# Clouds are refined from 1 to 256 pixels a side, all of them up to 32.
_LEVELS, _WHOLE_LEVELS = 8, 5
# In pixels: a margin keeps the pixels with wrong neighbours outside the corner.
_MARGIN = 2**_WHOLE_LEVELS - SIDE


def power_law_noise(rng: Generator, side: int, decay: float) -> Floats:
    """Draw noise whose amplitude falls with frequency, as 1 / f**decay.

    White noise has a decay of 0, natural images have one of about 1 (Field, "Relations
    between the statistics of natural images", 1987).

    Returns:
        (side, side), with a mean of about 0.
    """
    rows = np.fft.fftfreq(side)[:, np.newaxis]
    columns = np.fft.rfftfreq(side)
    frequency = np.maximum(np.hypot(rows, columns), 1 / side)
    phases = np.exp(2j * np.pi * rng.random(frequency.shape))
    return np.fft.irfft2(phases * frequency**-decay, (side, side))


def diamond_square_clouds(rng: Generator, decay: float) -> Floats:
    """Draw a (28, 28) corner of clouds in [0, 1] by the diamond-square algorithm.

    The clouds are (256, 256), as in MNIST-C's code. From a resolution of 32 on only the
    corner is refined: finer levels hardly change the range of the whole.
    """
    # MNIST-C's code applies the decay twice per level.
    amplitudes = decay ** (-2.0 * np.arange(_LEVELS))
    whole: Floats = np.zeros((1, 1))
    for amplitude in amplitudes[:_WHOLE_LEVELS]:
        whole = _refine(whole, amplitude, rng)
    side = len(whole)
    corner = np.roll(whole, _MARGIN, (0, 1))
    kept = slice(_MARGIN, _MARGIN + side)
    for amplitude in amplitudes[_WHOLE_LEVELS:]:
        corner = _refine(corner, amplitude, rng)[kept, kept]
    heights = corner[_MARGIN:, _MARGIN:]
    clouds: Floats = (heights - whole.min()) / np.ptp(whole)
    return clouds


def _refine(corners: Floats, amplitude: float, rng: Generator) -> Floats:
    """Double the resolution by means of four neighbours, displaced at random.

    The last row is a neighbour of the first, and so are the columns. After Fournier,
    Fussell and Carpenter, "Computer Rendering of Stochastic Models", 1982.
    """
    side = len(corners)
    shifts = amplitude * rng.uniform(-1, 1, (3, side, side))
    below = np.roll(corners, -1, 0)
    right = np.roll(corners, -1, 1)
    diagonal = np.roll(below, -1, 1)
    centres = (corners + below + right + diagonal) / 4 + shifts[0]
    upper_centres = np.roll(centres, 1, 0)
    left_centres = np.roll(centres, 1, 1)
    tops = (corners + right + centres + upper_centres) / 4 + shifts[1]
    lefts = (corners + below + centres + left_centres) / 4 + shifts[2]
    refined = np.empty((2 * side, 2 * side))
    refined[::2, ::2] = corners
    refined[1::2, 1::2] = centres
    refined[::2, 1::2] = tops
    refined[1::2, ::2] = lefts
    return refined
