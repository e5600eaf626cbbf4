"""Digits of the starter set."""

from pathlib import Path

import numpy as np
import pytest

from training.input import Examples


@pytest.fixture(scope="session")
def starter() -> Examples:
    with np.load(Path(__file__).parents[3] / "data" / "starter.npz") as npz:
        return Examples(npz["x_test"], npz["y_test"].astype(np.int64))
