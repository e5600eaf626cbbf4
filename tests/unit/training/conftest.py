"""Real digits for the tests of training."""

import numpy as np
import pytest

from digits.arrays import Pixels
from tests.conftest import ROOT


@pytest.fixture(scope="session")
def digits() -> Pixels:
    """The test images of the starter set."""
    with np.load(ROOT / "data" / "starter.npz") as npz:
        images: Pixels = npz["x_test"]
        return images
