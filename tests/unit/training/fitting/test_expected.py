"""How long each phase of a training is expected to take."""

from typing import get_args

import pytest

from digits.datasets.tfds import Split
from digits.jobs import Phase
from digits.parameters import Parameters
from training.evaluation import sample_sizes
from training.fitting.expected import expected_seconds

MNIST: dict[Split, int] = {"train": 60_000, "test": 10_000}
FEW: dict[Split, int] = {"train": 60, "test": 20}
LITE = Parameters(architecture="lite")
LAB = Parameters(architecture="lab", epochs=LITE.epochs)


def test_every_phase_takes_some_time() -> None:
    expected = expected_seconds(FEW, LITE)
    assert expected.keys() == set(get_args(Phase))
    assert min(expected.values()) > 0


@pytest.mark.parametrize(
    "phase", ["fetching", "preparing", "fitting", "exporting", "evaluating"]
)
def test_more_examples_take_longer(phase: Phase) -> None:
    assert expected_seconds(MNIST, LITE)[phase] > expected_seconds(FEW, LITE)[phase]


def test_more_epochs_take_longer() -> None:
    four_epochs = LITE.model_copy(update={"epochs": 4})
    few = expected_seconds(MNIST, four_epochs)["fitting"]
    many = expected_seconds(MNIST, LITE)["fitting"]
    assert many > 10 * few


@pytest.mark.parametrize("phase", ["preparing", "fitting"])
def test_a_recipe_that_adds_images_takes_longer(phase: Phase) -> None:
    assert expected_seconds(MNIST, LITE)[phase] > expected_seconds(MNIST, LAB)[phase]


def test_without_a_report_no_model_is_exported() -> None:
    with_report = expected_seconds(MNIST, LITE)
    without_report = expected_seconds(MNIST, LITE, report=False)
    assert "exporting" not in without_report
    assert without_report["evaluating"] < with_report["evaluating"]


@pytest.mark.parametrize(
    ("test", "digits", "non_digits"),
    [(10_000, 200, 400), (5_000, 200, 400), (1_000, 10, 100), (20, 4, 100)],
)
def test_a_large_test_split_is_studied_in_full_and_a_small_split_in_short(
    test: int, digits: int, non_digits: int
) -> None:
    assert sample_sizes.digits_per_condition(test) == digits
    assert sample_sizes.non_digits_per_family(digits) == non_digits
