"""A small dataset of real digits in a store, and jobs that train on it."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from digits import datasets, jobs
from digits.dataset_versions import DatasetVersion
from digits.jobs import Parameters, Request
from digits.store import Store
from digits.tfds import Split

STARTER = Path(__file__).parents[3] / "data" / "starter.npz"
TRAIN, TEST = 600, 200
CREATED = datetime(2026, 1, 31, 10, 15, tzinfo=UTC)


class Trainings:
    """A store that holds the dataset `tiny`."""

    def __init__(self, store: Store, npz: Path) -> None:
        self.store = store
        self.dataset: DatasetVersion = datasets.convert(store, "tiny", npz)

    def shard(self, split: Split) -> str:
        """The key of a split's only shard."""
        (key,) = datasets.shard_keys(self.store, self.dataset, split)
        return key

    def create(self, job_id: str, *, version: str = "1.0.0", epochs: int = 1) -> str:
        """Request a job."""
        parameters = Parameters(epochs=epochs, batch_size=64)
        request = Request(
            job_id=job_id, created=CREATED, dataset="tiny", dataset_version=version, parameters=parameters
        )
        jobs.create(self.store, request)
        return job_id


@pytest.fixture(scope="session")
def tiny_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An npz of few real digits."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.npz"
    with np.load(STARTER) as starter:
        members = {name: starter[name][: TRAIN if name.endswith("train") else TEST] for name in starter.files}
    np.savez_compressed(path, **members)
    return path


@pytest.fixture
def trainings(file_store: Store, tiny_digits: Path) -> Trainings:
    return Trainings(file_store, tiny_digits)
