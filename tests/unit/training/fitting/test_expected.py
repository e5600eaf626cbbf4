"""How long a training is expected to take."""

from typing import get_args

import pytest

from digits.datasets.tfds import Split
from digits.jobs import Phase
from digits.parameters import Parameters
from training.evaluation import samples
from training.fitting.expected import seconds

MNIST: dict[Split, int] = {"train": 60_000, "test": 10_000}
FEW: dict[Split, int] = {"train": 60, "test": 20}
LITE = Parameters()


def test_every_phase_takes_some_time() -> None:
    expected = seconds(FEW, LITE)
    assert expected.keys() == set(get_args(Phase))
    assert min(expected.values()) > 0


@pytest.mark.parametrize(
    "phase", ["fetching", "preparing", "fitting", "exporting", "evaluating"]
)
def test_more_examples_take_longer(phase: Phase) -> None:
    assert seconds(MNIST, LITE)[phase] > seconds(FEW, LITE)[phase]


def test_more_epochs_take_longer() -> None:
    assert (
        seconds(MNIST, LITE)["fitting"]
        > 10 * seconds(MNIST, LITE.model_copy(update={"epochs": 4}))["fitting"]
    )


def test_without_a_report_nothing_is_exported() -> None:
    assert "exporting" not in seconds(MNIST, LITE, report=False)
    assert (
        seconds(MNIST, LITE, report=False)["evaluating"]
        < seconds(MNIST, LITE)["evaluating"]
    )


@pytest.mark.parametrize(
    ("test", "digits", "negatives"),
    [(10_000, 200, 400), (5_000, 200, 400), (1_000, 10, 100), (20, 4, 100)],
)
def test_a_large_test_split_is_studied_in_full_and_a_small_one_in_short(
    test: int, digits: int, negatives: int
) -> None:
    assert samples.digits(test) == digits
    assert samples.negatives(digits) == negatives
