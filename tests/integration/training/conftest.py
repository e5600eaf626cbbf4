"""A small dataset of real digits in a store, and jobs that train on it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np
import pytest

from digits import datasets, jobs
from digits.datasets.tfds import Split
from digits.datasets.versions import DatasetVersion
from digits.jobs import Progress, Request
from digits.models.manifests import MODEL_FILE
from digits.parameters import Parameters
from digits.store import Store
from training.evaluation.evaluation_set import (
    EvaluationSet,
    SetPredictions,
    predict_evaluation_set,
)
from training.fitting import fit
from training.fitting.checkpoint import Checkpoint
from training.fitting.fit import Fitted
from training.fitting.phases import Phases
from training.input import Examples
from training.packaging.package import Package, pack

STARTER = Path(__file__).parents[3] / "data" / "starter.npz"
TRAIN, TEST = 600, 200
# The weights of the `lab` architecture.
LAB_SHAPES = [
    (3, 3, 1, 32),
    (32,),
    (3, 3, 32, 64),
    (64,),
    (9216, 128),
    (128,),
    (128, 10),
    (10,),
]
PARAMETERS = Parameters(architecture="lab", epochs=2, batch_size=64)
CREATED = datetime(2026, 1, 31, 10, 15, tzinfo=UTC)


class Trainings:
    """A store that holds the dataset `tiny`."""

    def __init__(self, store: Store, npz: Path) -> None:
        self.store = store
        self.dataset: DatasetVersion = datasets.convert(store, "tiny", npz)

    def shard(self, split: Split) -> str:
        """The key of the single shard of a split."""
        (key,) = datasets.shard_keys(self.store, self.dataset, split)
        return key

    def create(self, job_id: str, *, version: str = "1.0.0", epochs: int = 1) -> str:
        """Create a job that trains on `tiny`, and return its id."""
        parameters = Parameters(architecture="lab", epochs=epochs, batch_size=64)
        request = Request.new(
            job_id, replace(self.dataset, version=version), parameters
        )
        jobs.create_job(self.store, replace(request, created=CREATED))
        return job_id


class EndError(Exception):
    """The end of the process, in place of a real one."""


class Interrupted(Checkpoint):
    """A checkpoint that ends the process after some epochs."""

    def __init__(self, store: Store, epochs: int) -> None:
        super().__init__(store, "interrupted")
        self._left = epochs

    def save(self, model: keras.Model) -> None:
        super().save(model)
        self._left -= 1
        if not self._left:
            raise EndError


@pytest.fixture(scope="session")
def tiny_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An npz with the first digits of the starter set."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.npz"
    with np.load(STARTER) as starter:
        members = {}
        for name in starter.files:
            count = TRAIN if name.endswith("train") else TEST
            members[name] = starter[name][:count]
    np.savez_compressed(path, **members)
    return path


@pytest.fixture(scope="session")
def starter() -> Examples:
    """The test split of the starter set."""
    return load_split(STARTER, "test")


@pytest.fixture(scope="session")
def training(tiny_digits: Path) -> Examples:
    return load_split(tiny_digits, "train")


@pytest.fixture(scope="session")
def test(tiny_digits: Path) -> Examples:
    return load_split(tiny_digits, "test")


def load_split(path: Path, split: Split) -> Examples:
    with np.load(path) as npz:
        labels = npz[f"y_{split}"].astype(np.int64)
        return Examples(npz[f"x_{split}"], labels)


@pytest.fixture(scope="session")
def reports() -> list[Progress]:
    """The progress after each epoch of the training of `fitted`."""
    return []


@pytest.fixture(scope="session")
def fitted(training: Examples, reports: list[Progress]) -> Fitted:
    phases = Phases({"fitting": 10.0, "exporting": 5.0})
    phases.listen(reports.append)
    return fit.train(training, PARAMETERS, phases=phases)


@pytest.fixture(scope="session")
def package(fitted: Fitted, training: Examples, test: Examples) -> Package:
    return pack(fitted.model, "lab", training, test)


@pytest.fixture(scope="session")
def evaluation_set(test: Examples) -> EvaluationSet:
    return EvaluationSet.draw(test)


@pytest.fixture(scope="session")
def predictions(package: Package, evaluation_set: EvaluationSet) -> SetPredictions:
    return predict_evaluation_set(
        package.files[MODEL_FILE], evaluation_set, package.predictions
    )


@pytest.fixture
def trainings(file_store: Store, tiny_digits: Path) -> Trainings:
    return Trainings(file_store, tiny_digits)


def assert_same_weights(first: keras.Model, second: keras.Model) -> None:
    pairs = zip(first.get_weights(), second.get_weights(), strict=True)
    for first_weights, second_weights in pairs:
        np.testing.assert_array_equal(first_weights, second_weights)
