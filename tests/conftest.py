"""What tests of every kind use: data, and stores in a folder and on S3."""

import importlib.util
import json
import os
import shutil
import socket
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from digits.store import Store
from tests.faults import faults as faults  # noqa: PLC0414  a fixture for all tests
from tests.faults import faulty_store as faulty_store  # noqa: PLC0414
from tests.moto_server import moto_server as serve_s3

ROOT = Path(__file__).parents[1]
DATA = ROOT / "data"
BUCKET = "digits-tests"
COUNTS = {"train": 37, "test": 11}

Arrays = dict[str, npt.NDArray[Any]]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Mark what needs S3, so that nobody has to."""
    for item in items:
        if "moto_server" in item.fixturenames:
            item.add_marker("s3")


@pytest.fixture(scope="session")
def digits_npz() -> Path:
    """Real digits: the full MNIST where `make data` has put it, else the starter set."""
    full = DATA / "mnist.npz"
    return full if full.exists() else DATA / "starter.npz"


@pytest.fixture(scope="session")
def arrays() -> Arrays:
    """Made-up images with every label, as an npz holds them."""
    random = np.random.default_rng(0)
    images = {
        f"x_{split}": random.integers(0, 256, (n, 28, 28), np.uint8)
        for split, n in COUNTS.items()
    }
    labels = {
        f"y_{split}": np.arange(n, dtype=np.uint8) % 10 for split, n in COUNTS.items()
    }
    return images | labels


@pytest.fixture(scope="session")
def small_npz(arrays: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _save(tmp_path_factory.mktemp("data") / "small.npz", arrays)


@pytest.fixture
def make_npz(arrays: Arrays, tmp_path: Path) -> Callable[..., Path]:
    """Writes `arrays`, changed by keyword; a member given as None is left out."""

    def make(**changes: npt.NDArray[Any] | None) -> Path:
        changed = {
            name: array
            for name, array in (arrays | changes).items()
            if array is not None
        }
        return _save(tmp_path / f"{uuid.uuid4()}.npz", changed)

    return make


@pytest.fixture
def file_store(tmp_path: Path) -> Store:
    return Store((tmp_path / "store").as_uri())


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """The URL of an S3 endpoint with the tests' bucket."""
    with serve_s3(BUCKET) as url:
        yield url


@pytest.fixture
def s3_store(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store under a prefix of its own; the variables that lead to it are set for this test."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return Store(f"s3://{BUCKET}/{uuid.uuid4()}")


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest) -> Store:
    """Each kind of store in turn: what holds for one must hold for the other."""
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found


@pytest.fixture
def load_function(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str, Store], ModuleType]:
    """Loads `functions/<name>/app.py` anew, as a cold start does, with the environment that the template gives it."""

    def load(name: str, store: Store) -> ModuleType:
        monkeypatch.setenv("DIGITS_STORE", store.url)
        monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "digits")
        monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Digits")
        return load_app(name)

    return load


def load_app(name: str) -> ModuleType:
    """Loads `functions/<name>/app.py` anew, with the environment as it is."""
    # What predict begins to do as it starts.
    sys.modules.pop("first_look", None)
    spec = importlib.util.spec_from_file_location(
        f"{name}_app", ROOT / "functions" / name / "app.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def need(*tools: str) -> None:
    """Skip the test on a machine without these programs, which running the service does not need."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(
            f"needs {' and '.join(missing)}: apt-get install {' '.join(missing)}"
        )


def sample_event(name: str) -> dict[str, Any]:
    """One of events/."""
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return event


def _save(path: Path, arrays: Arrays) -> Path:
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # its stub takes every name for allow_pickle
    return path


def pytest_xdist_auto_num_workers() -> int:
    """More workers than processors: the tests wait for other processes much of the time."""
    return (os.cpu_count() or 1) + 1
