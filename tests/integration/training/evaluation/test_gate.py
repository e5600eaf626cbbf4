"""What keeps a new model from answering in place of the live model."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from digits.models import manifests, releases
from digits.models.manifests import BUNDLED, MODEL_FILE
from digits.store import Store
from tests.integration.training.conftest import CREATED, Trainings
from training.evaluation.evaluation_set import EvaluationSet, SetPredictions
from training.evaluation.gate import (
    PairedResults,
    find_misread_examples,
    find_regressions,
    find_release_blockers,
)
from training.evaluation.predictions import ExportedModel
from training.packaging.package import Package, make_manifest

# Keras' own, with this NumPy.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

DIGITS, NON_DIGITS = 2000, 500


def make_results(
    errors: int = 20,
    digits_rejected: int = 10,
    non_digits_accepted: int = 10,
    confidence: float = 0.99,
) -> PairedResults:
    digits, non_digits = np.arange(DIGITS), np.arange(NON_DIGITS)
    return PairedResults(
        correct=digits >= errors,
        confidences=np.full(DIGITS, confidence),
        accepted=digits >= digits_rejected,
        rejected=non_digits >= non_digits_accepted,
    )


def test_an_equal_model_has_no_regressions() -> None:
    assert find_regressions(make_results(), make_results()) == []


def test_a_better_model_has_no_regressions() -> None:
    live = make_results(
        errors=100, digits_rejected=100, non_digits_accepted=100, confidence=0.9
    )
    assert find_regressions(live, make_results()) == []


def test_a_difference_within_chance_is_no_regression() -> None:
    candidate = make_results(
        errors=22, digits_rejected=12, non_digits_accepted=12, confidence=0.989
    )
    assert find_regressions(make_results(), candidate) == []


@pytest.mark.parametrize(
    ("candidate", "regression"),
    [
        (
            make_results(errors=60),
            "accuracy is 0.9700, lower than the live model's 0.9900",
        ),
        (
            make_results(digits_rejected=60),
            "the share of digits accepted is 0.9700, lower than the live model's 0.9950",
        ),
        (
            make_results(non_digits_accepted=60),
            "the share of non-digits rejected is 0.8800, lower than the live model's 0.9800",
        ),
        (
            make_results(confidence=0.9),
            "the calibration error is 0.0900, higher than the live model's 0.0000",
        ),
    ],
)
def test_a_model_that_is_worse_in_one_figure_has_a_regression(
    candidate: PairedResults, regression: str
) -> None:
    assert regression in find_regressions(make_results(), candidate)


def publish_and_release(trainings: Trainings, package: Package) -> str:
    manifest = make_manifest(package, trainings.dataset, {}, CREATED)
    manifests.publish(trainings.store, manifest, package.files)
    releases.release(trainings.store, manifest.version, "by hand")
    return manifest.version


@pytest.fixture
def candidate(package: Package) -> ExportedModel:
    return package.exported_model("candidate")


FindBlockers = Callable[[ExportedModel], list[str]]


@pytest.fixture
def find_blockers(
    trainings: Trainings, evaluation_set: EvaluationSet, predictions: SetPredictions
) -> FindBlockers:
    """Compares a model with the live model of `trainings`."""
    return partial(
        find_release_blockers,
        trainings.store,
        evaluation_set=evaluation_set,
        predictions=predictions,
    )


def test_only_misread_examples_block_a_second_release_of_the_live_model(
    trainings: Trainings,
    package: Package,
    candidate: ExportedModel,
    find_blockers: FindBlockers,
) -> None:
    publish_and_release(trainings, package)
    assert len(find_blockers(candidate)) == bool(find_misread_examples(candidate))


def test_examples_that_are_read_but_rejected_are_misread(
    candidate: ExportedModel,
) -> None:
    strict = replace(candidate, threshold=np.inf)
    assert find_misread_examples(strict) == list(range(10))


def test_a_model_that_rejects_every_digit_is_not_released(
    trainings: Trainings,
    package: Package,
    candidate: ExportedModel,
    find_blockers: FindBlockers,
) -> None:
    publish_and_release(trainings, package)
    examples, digits = find_blockers(replace(candidate, threshold=np.inf))
    assert examples == (
        "the model misreads the example images of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    )
    assert digits.startswith("the share of digits accepted is 0.0000, lower than")


def test_the_bundled_model_is_live_until_there_is_a_release(
    candidate: ExportedModel, find_blockers: FindBlockers
) -> None:
    assert is_less_accurate(find_blockers(candidate))


def test_a_release_can_make_the_bundled_model_live(
    trainings: Trainings,
    package: Package,
    candidate: ExportedModel,
    find_blockers: FindBlockers,
) -> None:
    publish_and_release(trainings, package)
    releases.release(trainings.store, BUNDLED, "by hand")
    assert is_less_accurate(find_blockers(candidate))


def is_less_accurate(blockers: list[str]) -> bool:
    """Whether the live model is a good one, such as the bundled model."""
    return any(blocker.startswith("accuracy is 0.") for blocker in blockers)


def change_the_model(store: Store, version: str) -> None:
    store.write(f"models/{version}/{MODEL_FILE}", b"TFL3")


def change_the_schema(store: Store, version: str) -> None:
    manifest = store.read_json(f"models/{version}/manifest.json") | {
        "schema_version": 1
    }
    store.write_json(f"models/{version}/manifest.json", manifest)


def delete_the_manifest(store: Store, version: str) -> None:
    store.delete(f"models/{version}/manifest.json")


def release_nothing(store: Store, version: str) -> None:
    assert version
    store.write("releases/2.json", b"{}")


@pytest.mark.parametrize(
    "damage",
    [change_the_model, change_the_schema, delete_the_manifest, release_nothing],
)
def test_a_live_model_that_cannot_be_read_blocks_the_release(
    trainings: Trainings,
    package: Package,
    candidate: ExportedModel,
    find_blockers: FindBlockers,
    damage: Callable[[Store, str], None],
) -> None:
    damage(trainings.store, publish_and_release(trainings, package))
    blocker = find_blockers(candidate)[-1]
    assert blocker.startswith("there is no comparison with the live model: ")
