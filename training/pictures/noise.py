"""Noise like nature's."""

import numpy as np

from digits.arrays import Floats


def spectrum(rng: np.random.Generator, side: int, decay: float) -> Floats:
    """Noise of an amplitude of 1/f**decay: white at 0, a natural picture's at about 1 (Field, 1987).

    Returns:
        (side, side), with a mean of about 0.
    """
    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)
    frequency = np.maximum(np.hypot(rows, columns), 1 / side)
    phases = np.exp(2j * np.pi * rng.random(frequency.shape))
    return np.fft.irfft2(phases * frequency**-decay, (side, side))
