"""What tests of every kind use: data, stores in a folder and on S3, the functions."""

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

import hypothesis
import numpy as np
import numpy.typing as npt
import pytest

from digits.store import Store
from tests.faults import FaultProxy
from tests.moto_server import moto_server as serve_s3

ROOT = Path(__file__).parents[1]
DATA = ROOT / "data"
BUCKET = "digits-tests"
COUNTS = {"train": 37, "test": 11}

Arrays = dict[str, npt.NDArray[Any]]

# An example may take long on a busy machine, and the first example imports modules.
hypothesis.settings.register_profile("digits", deadline=None)
hypothesis.settings.load_profile("digits")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Mark the tests that use moto's server."""
    for item in items:
        if "moto_server" in item.fixturenames:
            item.add_marker("s3")


@pytest.fixture(scope="session")
def digits_npz() -> Path:
    """Real digits: the full MNIST where `make data` has put it, or else the starter set."""
    full = DATA / "mnist.npz"
    return full if full.exists() else DATA / "starter.npz"


@pytest.fixture(scope="session")
def arrays() -> Arrays:
    """Random images with every label, as an npz holds them."""
    random = np.random.default_rng(0)
    made: Arrays = {}
    for split, count in COUNTS.items():
        made[f"x_{split}"] = random.integers(0, 256, (count, 28, 28), np.uint8)
        made[f"y_{split}"] = np.arange(count, dtype=np.uint8) % 10
    return made


@pytest.fixture(scope="session")
def small_npz(arrays: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _save(tmp_path_factory.mktemp("data") / "small.npz", arrays)


@pytest.fixture(scope="session")
def tiny_npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,000 real digits, from which a training of seconds learns something."""
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    counts = {"x_train": 2000, "y_train": 2000, "x_test": 300, "y_test": 300}
    with np.load(DATA / "starter.npz") as starter:
        members = {name: starter[name][:count] for name, count in counts.items()}
    np.savez_compressed(path, **members)
    return path


@pytest.fixture
def make_npz(arrays: Arrays, tmp_path: Path) -> Callable[..., Path]:
    """Writes `arrays` with changes, by name; None removes a member."""

    def make(**changes: npt.NDArray[Any] | None) -> Path:
        members = arrays | changes
        kept = {name: array for name, array in members.items() if array is not None}
        return _save(tmp_path / f"{uuid.uuid4()}.npz", kept)

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
    """A store under a prefix of its own. The variables that lead to moto are set for this test."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return Store(f"s3://{BUCKET}/{uuid.uuid4()}")


@pytest.fixture
def faults(
    s3_store: Store, moto_server: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FaultProxy]:
    """A proxy before moto. AWS_ENDPOINT_URL leads to the proxy, and `s3_store` to moto itself."""
    del (
        s3_store
    )  # A store reads AWS_ENDPOINT_URL when it opens, so this store opens first.
    with FaultProxy(moto_server) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


@pytest.fixture
def faulty_store(s3_store: Store, faults: FaultProxy) -> Store:
    """The same objects as `s3_store`, by way of the proxy `faults`."""
    assert faults.url
    return Store(s3_store.url)


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest) -> Store:
    """Each kind of store in turn: both must behave alike."""
    kind: Store = request.getfixturevalue(f"{request.param}_store")
    return kind


@pytest.fixture
def load_function(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str, Store], ModuleType]:
    """Loads `functions/<name>/app.py` as a cold start does, with the template's variables."""

    def load(name: str, store: Store) -> ModuleType:
        monkeypatch.setenv("DIGITS_STORE", store.url)
        monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "digits")
        monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Digits")
        return load_app(name)

    return load


def load_app(name: str) -> ModuleType:
    """Loads `functions/<name>/app.py` anew, with the environment as it is."""
    # This module asks for the live release as soon as it is imported.
    sys.modules.pop("first_look", None)
    path = ROOT / "functions" / name / "app.py"
    spec = importlib.util.spec_from_file_location(f"{name}_app", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def free_port() -> int:
    """A port of 127.0.0.1 on which no program listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def need(*tools: str) -> None:
    """Skip the test on a machine without these programs: the service itself does not need them."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        needed, packages = " and ".join(missing), " ".join(missing)
        pytest.skip(f"This test needs {needed}. Run apt-get install {packages}.")


def sample_event(name: str) -> dict[str, Any]:
    """A sample event of events/."""
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return event


def _save(path: Path, arrays: Arrays) -> Path:
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # its stub takes every name for allow_pickle
    return path


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than processors: the tests often wait for other processes."""
    return (os.cpu_count() or 1) + 1
