"""Noise with the spectrum of natural images."""

import numpy as np
from numpy.random import Generator

from digits.arrays import Floats


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
