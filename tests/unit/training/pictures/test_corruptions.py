import numpy as np
import pytest

from digits.arrays import Pixels
from training.pictures.corruptions import CORRUPTIONS, SEVERITIES, corrupt


def test_there_are_fifteen_by_five() -> None:
    assert (len(CORRUPTIONS), len(SEVERITIES)) == (15, 5)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_more_severe_the_less_like_the_digit(name: str, digits: Pixels) -> None:
    rng = np.random.default_rng(0)
    likeness = []
    for severity in SEVERITIES:
        found = [corrupt(name, digit, severity, rng) for digit in digits[:60]]
        assert {(image.shape, image.dtype.name) for image in found} == {
            ((28, 28), "uint8")
        }
        pairs = zip(found, digits, strict=False)
        likeness.append(
            np.mean(
                [
                    np.corrcoef(image.ravel(), digit.ravel())[0, 1]
                    for image, digit in pairs
                ]
            )
        )
    assert max(likeness[3:]) < min(likeness[:2]) < 1


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_seed_damages_the_same(name: str, digits: Pixels) -> None:
    first, again = (
        corrupt(name, digits[0], 3, np.random.default_rng(7)) for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)


def test_edges_are_hollow() -> None:
    square = np.zeros((28, 28), np.uint8)
    square[8:20, 8:20] = 255
    edges = corrupt("canny edges", square, 1, np.random.default_rng(0))
    assert set(np.unique(edges)) == {0, 255}
    assert not edges[11:17, 11:17].any()
    rows, columns = edges.nonzero()
    assert [rows.min(), rows.max(), columns.min(), columns.max()] == pytest.approx(
        [8, 19, 8, 19], abs=1
    )


def test_a_shift_moves_by_whole_pixels(digits: Pixels) -> None:
    moved = corrupt("translate", digits[0], 2, np.random.default_rng(0))
    shifts = [
        np.roll(digits[0], (down, right), (0, 1))
        for down in (-3, 3)
        for right in (-3, 3)
    ]
    assert any(np.array_equal(moved, shifted) for shifted in shifts)
