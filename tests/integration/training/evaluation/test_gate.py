"""What keeps a new model from answering in place of the live one."""

from collections.abc import Callable

import numpy as np
import pytest

from digits.models import manifests, releases
from digits.models.manifests import BUNDLED, MODEL_FILE, SCORE
from digits.store import Store
from tests.integration.training.conftest import CREATED, Trainings
from training.evaluation import gate
from training.evaluation.gate import Marks, compare
from training.evaluation.trial import Pictures, Trial
from training.packaging.package import Package, describe

# Keras' own, with this NumPy.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

N = 2000


def marks(
    errors: int = 20, refused: int = 10, passed: int = 10, confidence: float = 0.99
) -> Marks:
    """Of a model that makes so many mistakes, with digits and others, and is so sure of each answer."""
    index = np.arange(N)
    return Marks(
        index >= errors, np.full(N, confidence), index >= refused, index[:500] >= passed
    )


def test_an_equal_model_passes() -> None:
    assert compare(marks(), marks()) == []


def test_a_better_model_passes() -> None:
    assert (
        compare(marks(errors=100, refused=100, passed=100, confidence=0.9), marks())
        == []
    )


def test_chance_is_no_objection() -> None:
    assert (
        compare(marks(), marks(errors=22, refused=12, passed=12, confidence=0.989))
        == []
    )


@pytest.mark.parametrize(
    ("candidate", "objection"),
    [
        (
            marks(errors=60),
            "it reads fewer digits right than the live model, 0.9700 against 0.9900",
        ),
        (
            marks(refused=60),
            "it takes fewer digits for digits than the live model, 0.9700 against 0.9950",
        ),
        (
            marks(passed=60),
            "it rejects fewer other pictures than the live model, 0.8800 against 0.9800",
        ),
        (marks(confidence=0.9), "it is less well calibrated than the live model"),
    ],
)
def test_a_model_that_is_worse_in_one_thing_is_objected_to(
    candidate: Marks, objection: str
) -> None:
    assert objection in compare(marks(), candidate)


def publish(trainings: Trainings, package: Package) -> str:
    manifest = describe(package, trainings.dataset, {}, CREATED)
    manifests.publish(trainings.store, manifest, package.files)
    releases.release(trainings.store, manifest.version, "try")
    return manifest.version


def objections(
    trainings: Trainings,
    package: Package,
    pictures: Pictures,
    trial: Trial,
    threshold: float,
) -> list[str]:
    return gate.objections(
        trainings.store, package.files[MODEL_FILE], threshold, pictures, trial
    )


def test_the_live_model_has_no_objections_to_itself(
    trainings: Trainings, package: Package, pictures: Pictures, trial: Trial
) -> None:
    publish(trainings, package)
    threshold = package.thresholds[SCORE]
    missed = gate.misread_examples(package.files[MODEL_FILE], threshold)
    assert len(objections(trainings, package, pictures, trial, threshold)) == bool(
        missed
    )


def test_examples_that_are_read_but_not_kept_are_missed(package: Package) -> None:
    assert gate.misread_examples(package.files[MODEL_FILE], np.inf) == list(range(10))


def test_a_model_that_refuses_every_digit_is_objected_to(
    trainings: Trainings, package: Package, pictures: Pictures, trial: Trial
) -> None:
    publish(trainings, package)
    found = objections(trainings, package, pictures, trial, np.inf)
    assert "it does not read the examples of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in found
    assert any(
        objection.startswith("it takes fewer digits for digits") for objection in found
    )


@pytest.mark.parametrize("is_named", [False, True])
def test_the_bundled_model_is_the_live_one_until_there_is_a_release_and_when_one_names_it(
    trainings: Trainings,
    package: Package,
    pictures: Pictures,
    trial: Trial,
    *,
    is_named: bool,
) -> None:
    if is_named:
        publish(trainings, package)
        releases.release(trainings.store, BUNDLED, "back to it")
    found = objections(trainings, package, pictures, trial, package.thresholds[SCORE])
    assert any(
        objection.startswith("it reads fewer digits right than the live model")
        for objection in found
    )


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
    pictures: Pictures,
    trial: Trial,
    damage: Callable[[Store, str], None],
) -> None:
    damage(trainings.store, publish(trainings, package))
    found = objections(trainings, package, pictures, trial, package.thresholds[SCORE])
    assert found[-1].startswith(
        "the live model cannot be read, so they cannot be compared ("
    )
