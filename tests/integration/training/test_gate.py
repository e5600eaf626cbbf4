"""What keeps a new model from answering in place of the live one."""

import json
from dataclasses import replace

import numpy as np
import pytest

from digits import models, releases
from digits.models import MODEL_FILE, SCORE
from tests.integration.training.conftest import CREATED, Trainings
from training import gate
from training.gate import Trial, compare
from training.input import Examples
from training.package import Package, describe

# Keras' own, with this NumPy.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

N = 2000


def trial(errors: int = 20, refused: int = 10, passed: int = 10, confidence: float = 0.99) -> Trial:
    """Of a model that makes so many mistakes, with digits and others, and is so sure of each answer."""
    index = np.arange(N)
    return Trial(index >= errors, np.full(N, confidence), index >= refused, index[:500] >= passed)


def test_an_equal_model_passes() -> None:
    assert compare(trial(), trial()) == []


def test_a_better_model_passes() -> None:
    assert compare(trial(errors=100, refused=100, passed=100, confidence=0.9), trial()) == []


def test_chance_is_no_objection() -> None:
    assert compare(trial(), trial(errors=22, refused=12, passed=12, confidence=0.989)) == []


@pytest.mark.parametrize(
    ("candidate", "objection"),
    [
        (trial(errors=60), "it reads fewer digits right than the live model, 0.9700 against 0.9900"),
        (trial(refused=60), "it takes fewer digits for digits than the live model, 0.9700 against 0.9950"),
        (trial(passed=60), "it rejects fewer other pictures than the live model, 0.8800 against 0.9800"),
        (trial(confidence=0.9), "it is less well calibrated than the live model"),
    ],
)
def test_a_model_that_is_worse_in_one_thing_is_objected_to(candidate: Trial, objection: str) -> None:
    assert objection in compare(trial(), candidate)


def publish(trainings: Trainings, package: Package) -> str:
    manifest = describe(package, trainings.dataset, {}, CREATED)
    models.publish(trainings.store, manifest, package.files)
    releases.release(trainings.store, manifest.version, "try")
    return manifest.version


def test_the_live_model_has_no_objections_to_itself(trainings: Trainings, package: Package, test: Examples) -> None:
    publish(trainings, package)
    missed = gate.misread_examples(package.files[MODEL_FILE], package.thresholds[SCORE])
    found = gate.objections(trainings.store, package.files[MODEL_FILE], package.thresholds[SCORE], test)
    assert len(found) == bool(missed)


def test_examples_that_are_read_but_not_kept_are_missed(package: Package) -> None:
    assert gate.misread_examples(package.files[MODEL_FILE], np.inf) == list(range(10))


def test_a_model_that_refuses_every_digit_is_objected_to(
    trainings: Trainings, package: Package, test: Examples
) -> None:
    publish(trainings, package)
    found = gate.objections(trainings.store, package.files[MODEL_FILE], np.inf, test)
    assert "it does not read the examples of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in found
    assert any(objection.startswith("it takes fewer digits for digits") for objection in found)


@pytest.mark.parametrize("damage", ["model", "schema"])
def test_a_live_model_that_cannot_be_read_is_not_compared_with(
    trainings: Trainings, package: Package, test: Examples, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    version = publish(trainings, replace(package, thresholds=package.thresholds | {SCORE: -np.inf}))
    key = f"models/{version}/"
    if damage == "model":
        trainings.store.write(f"{key}{MODEL_FILE}", b"TFL3")
    else:
        manifest = trainings.store.read_json(f"{key}manifest.json") | {"schema_version": 1}
        trainings.store.write(f"{key}manifest.json", json.dumps(manifest).encode())
    found = gate.objections(trainings.store, package.files[MODEL_FILE], np.inf, test)
    assert len(found) == 1
    assert "The live model cannot be compared with: " in caplog.text
