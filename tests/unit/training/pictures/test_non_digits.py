import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from digits.arrays import Pixels
from training.pictures import non_digits
from training.pictures.non_digits import (
    FAMILIES,
    FITTED,
    REPORTED,
    DigitFamily,
    Family,
    draw_fitted,
    draw_reported,
)

ROOT = Path(__file__).parents[4]
DIGITS = np.random.default_rng(0).integers(0, 256, (20, 28, 28)).astype(np.uint8)


def test_fitted_pictures_are_distinct_and_not_blank() -> None:
    count = 4 * len(FITTED)
    pictures = draw_fitted(count, 0, DIGITS)
    assert pictures.shape == (count, 28, 28)
    assert pictures.dtype == np.uint8
    assert pictures.max(axis=(1, 2)).min() > 0
    assert len({picture.tobytes() for picture in pictures}) == count


def test_the_seed_decides_the_fitted_pictures() -> None:
    first, again, other = (draw_fitted(30, seed, DIGITS) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_picture_is_drawn_for_a_count_of_0() -> None:
    assert draw_fitted(0, 0, DIGITS).shape == (0, 28, 28)


@pytest.mark.parametrize("family", REPORTED)
def test_reported_pictures_are_grey_and_of_many_sizes(family: str) -> None:
    pictures = list(draw_reported(family, 20, 0))
    assert {picture.dtype.name for picture in pictures} == {"uint8"}
    assert len({picture.shape for picture in pictures}) > 1
    assert min(np.ptp(picture) for picture in pictures) > 0


@pytest.mark.parametrize("family", REPORTED)
def test_the_seed_decides_the_reported_pictures(family: str) -> None:
    first = [picture.tobytes() for picture in draw_reported(family, 5, 3)]
    again = [picture.tobytes() for picture in draw_reported(family, 5, 3)]
    assert first == again


def test_a_family_is_either_fitted_or_reported() -> None:
    names = [family.name for family in FITTED] + list(REPORTED)
    assert sorted(names) == sorted(family.name for family in FAMILIES)
    assert len(set(names)) == len(names)


def test_each_function_that_draws_is_registered() -> None:
    registered = (ROOT / "training" / "pictures" / "non_digits.py").read_text()
    for path in (ROOT / "training" / "pictures" / "families").glob("*.py"):
        # The canvas has what several families draw with.
        if path.stem != "canvas":
            for name in re.findall(r"(?m)^def (draw_\w+)", path.read_text()):
                assert f"{path.stem}.{name}" in registered


def test_families_are_drawn_by_weight(
    digits: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    families = [
        DigitFamily("first", lambda _, digits: digits[0], weight=3),
        DigitFamily("second", lambda _, digits: digits[1]),
    ]
    monkeypatch.setattr(non_digits, "FITTED", families)
    pictures = draw_fitted(8, 0, digits)
    counts = Counter(picture.tobytes() for picture in pictures)
    assert counts == {digits[0].tobytes(): 6, digits[1].tobytes(): 2}


def test_a_blank_picture_is_drawn_again(
    digits: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank = np.zeros((28, 28), np.uint8)
    drawn = iter([blank, blank, digits[0]])
    monkeypatch.setattr(non_digits, "FITTED", [Family("test", lambda _: next(drawn))])
    np.testing.assert_array_equal(draw_fitted(1, 0, DIGITS), [digits[0]])


def test_clouds_replace_what_blank_digits_cannot_make() -> None:
    blank = np.zeros((1, 28, 28), np.uint8)
    pictures = draw_fitted(len(FITTED), 0, blank)
    assert pictures.max(axis=(1, 2)).min() > 0


def test_the_documentation_counts_the_families_to_learn_from() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert re.findall(r"(\d+)\s+families", page) == [str(len(FITTED))]
