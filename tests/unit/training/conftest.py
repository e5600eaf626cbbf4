"""Digits of the starter set."""

import numpy as np
import pytest

from digits.arrays import Pixels
from tests.conftest import ROOT


@pytest.fixture(scope="session")
def digits() -> Pixels:
    with np.load(ROOT / "data" / "starter.npz") as npz:
        images: Pixels = npz["x_test"]
        return images
