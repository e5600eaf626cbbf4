from collections import Counter

import numpy as np
import pytest

from digits.arrays import Pixels
from training.pictures.corruptions import CORRUPTIONS, corrupt, severities


def likeness(name: str, severity: int, digits: Pixels) -> float:
    """The mean correlation of corrupted digits with their originals."""
    rng = np.random.default_rng(severity)
    correlations = []
    for digit in digits:
        corrupted = corrupt(name, digit, severity, rng)
        assert (corrupted.shape, corrupted.dtype.name) == ((28, 28), "uint8")
        correlations.append(np.corrcoef(corrupted.ravel(), digit.ravel())[0, 1])
    return float(np.mean(correlations))


def test_four_of_fifteen_corruptions_have_one_severity() -> None:
    assert len(CORRUPTIONS) == 15
    counts = Counter(len(severities(name)) for name in CORRUPTIONS)
    assert counts == {5: 11, 1: 4}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_severer_corruption_is_less_like_the_digit(name: str, digits: Pixels) -> None:
    mildest, *severer = severities(name)
    mildest_likeness = likeness(name, mildest, digits[:60])
    assert mildest_likeness < 1
    if severer:
        assert likeness(name, severer[-1], digits[:60]) < mildest_likeness


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_seed_decides_the_corruption(name: str, digits: Pixels) -> None:
    first, again = (
        corrupt(name, digits[0], 1, np.random.default_rng(7)) for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)


def test_edges_are_hollow() -> None:
    square = np.zeros((28, 28), np.uint8)
    square[8:20, 8:20] = 255
    edges = corrupt("canny edges", square, 1, np.random.default_rng(0))
    assert set(np.unique(edges)) == {0, 255}
    assert not edges[11:17, 11:17].any()
    rows, columns = edges.nonzero()
    extremes = [rows.min(), rows.max(), columns.min(), columns.max()]
    assert extremes == pytest.approx([8, 19, 8, 19], abs=1)


@pytest.mark.parametrize("severity", severities("translate"))
def test_a_translation_moves_by_whole_pixels(severity: int, digits: Pixels) -> None:
    moved = corrupt("translate", digits[0], severity, np.random.default_rng(0))
    padded = np.pad(digits[0], severity)
    shifts = [
        padded[row : row + 28, column : column + 28]
        for row in (0, 2 * severity)
        for column in (0, 2 * severity)
    ]
    assert any(np.array_equal(moved, shifted) for shifted in shifts)


@pytest.mark.parametrize("name", ["shear", "scale", "rotate"])
@pytest.mark.parametrize("severity", severities("scale"))
def test_the_centre_of_the_picture_does_not_move(name: str, severity: int) -> None:
    square = np.zeros((28, 28), np.uint8)
    square[10:18, 10:18] = 255
    moved = corrupt(name, square, severity, np.random.default_rng(0)).astype(float)
    rows, columns = np.indices((28, 28))
    for places in rows, columns:
        assert np.average(places, weights=moved) == pytest.approx(13.5, abs=0.05)


@pytest.mark.parametrize("name", ["glass blur", "motion blur"])
@pytest.mark.parametrize("severity", severities("glass blur"))
def test_a_blur_does_not_change_an_even_picture(name: str, severity: int) -> None:
    even = np.full((28, 28), 100, np.uint8)
    blurred = corrupt(name, even, severity, np.random.default_rng(0))
    np.testing.assert_array_equal(blurred, even)


def test_motion_blur_drags_to_one_side() -> None:
    point = np.zeros((28, 28), np.uint8)
    point[14, 20] = 255
    blurred = corrupt("motion blur", point, 1, np.random.default_rng(0))
    assert blurred[14, 20] == blurred.max()
    assert not blurred[:, 21:].any()
    assert blurred[:, :20].any()


@pytest.mark.parametrize(("severity", "share"), [(1, 0.03), (3, 0.09), (5, 0.27)])
def test_impulse_noise_is_half_salt(severity: int, share: float) -> None:
    rng = np.random.default_rng(0)
    grey = np.full((28, 28), 100, np.uint8)
    noisy = np.array(
        [corrupt("impulse noise", grey, severity, rng) for _ in range(200)]
    )
    assert set(np.unique(noisy)) == {0, 100, 255}
    assert np.mean(noisy == 0) == pytest.approx(share / 2, rel=0.1)
    assert np.mean(noisy == 255) == pytest.approx(share / 2, rel=0.1)


def test_a_stripe_in_the_middle_is_not_inverted(digits: Pixels) -> None:
    inverted = corrupt("stripe", digits[0], 1, np.random.default_rng(0))
    np.testing.assert_array_equal(inverted[:, 7:21], digits[0][:, 7:21])
    np.testing.assert_array_equal(inverted[:, :7], 255 - digits[0][:, :7])
    np.testing.assert_array_equal(inverted[:, 21:], 255 - digits[0][:, 21:])


@pytest.mark.parametrize("severity", severities("fog"))
def test_fog_is_smooth_and_no_lighter_than_the_digit(severity: int) -> None:
    blank = np.zeros((28, 28), np.uint8)
    blank[0, 0] = 200
    rng = np.random.default_rng(0)
    fog = np.array([corrupt("fog", blank, severity, rng) for _ in range(20)])
    assert fog.max() <= 200
    steps = np.abs(np.diff(fog[:, 1:].astype(int), axis=2))
    assert 0 < steps.mean() < 10
