"""Digits of the starter set."""

import numpy as np
import numpy.typing as npt
import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="session")
def digits() -> npt.NDArray[np.uint8]:
    with np.load(ROOT / "data" / "starter.npz") as npz:
        images: npt.NDArray[np.uint8] = npz["x_test"]
        return images
