import itertools

import numpy as np
import pytest

from digits.arrays import Pixels
from training.pictures import negatives

DIGITS = np.random.default_rng(0).integers(0, 256, (20, 28, 28)).astype(np.uint8)


def test_pictures_are_as_networks_see_them() -> None:
    pictures = negatives.fitted(4 * len(negatives.FITTED), 0, DIGITS)
    assert pictures.shape == (4 * len(negatives.FITTED), 28, 28)
    assert pictures.dtype == np.uint8
    assert (pictures.max(axis=(1, 2)) > 0).all()
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    first, again, other = (negatives.fitted(30, seed, DIGITS) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_pictures_are_none() -> None:
    assert negatives.fitted(0, 0, DIGITS).shape == (0, 28, 28)


@pytest.mark.parametrize("family", negatives.REPORTED)
def test_reported_pictures_are_grey_of_any_size(family: str) -> None:
    pictures = list(negatives.reported(family, 20, 0))
    assert {picture.dtype for picture in pictures} == {np.dtype(np.uint8)}
    assert len({picture.shape for picture in pictures}) > 1
    assert all(np.ptp(picture) > 0 for picture in pictures)


@pytest.mark.parametrize("family", negatives.REPORTED)
def test_reported_pictures_are_the_same_every_time(family: str) -> None:
    pairs = itertools.starmap(
        np.array_equal,
        zip(*(negatives.reported(family, 5, 3) for _ in range(2)), strict=True),
    )
    assert all(pairs)


def test_what_is_reported_was_never_fitted() -> None:
    assert negatives.FITTED.keys().isdisjoint(negatives.REPORTED)


def test_blank_pictures_are_drawn_again(
    digits: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank, digit = np.zeros((28, 28), np.uint8), digits[0]
    drawn = iter([blank, blank, digit])

    def draw(rng: np.random.Generator, digits: Pixels) -> Pixels:  # noqa: ARG001
        return next(drawn)

    monkeypatch.setattr(negatives, "FITTED", {"test": draw})
    np.testing.assert_array_equal(negatives.fitted(1, 0, DIGITS), [digit])


def test_digits_that_make_no_pictures_are_replaced() -> None:
    blank = np.zeros((1, 28, 28), np.uint8)
    assert negatives.fitted(len(negatives.FITTED), 0, blank).max(axis=(1, 2)).min() > 0
