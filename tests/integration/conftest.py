"""A real service: `digits serve` in a process of its own, on a free port, with a store of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.conftest import free_port
from tests.docs import copy_checkout

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


class Service:
    """The process and a client for it. `start` again after `kill` finds the same store.

    Args:
        folder: takes the store, if that is not elsewhere, and the log.
        store_url: where the store is.
        variables: settings that the server gets, besides the environment.
    """

    def __init__(
        self, folder: Path, store_url: str | None = None, **variables: str
    ) -> None:
        self._variables = variables
        self.store_url = store_url or (folder / "store").as_uri()
        self.log = folder / "log"
        self.port = free_port()
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", timeout=120
        )
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "local.cli", "serve", "--port", str(self.port)]
        environment = os.environ | {"DIGITS_STORE": self.store_url} | self._variables
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        self.wait(self._answers, START_SECONDS)

    def wait(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.client.get("/health").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(30)

    def variables(self) -> dict[str, str]:
        """The environment variables of a function, as the kernel shows them to the function's own user."""
        functions = (
            Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
            .read_text()
            .split()
        )
        lines = Path(f"/proc/{functions[0]}/environ").read_text().split("\0")
        return dict(line.split("=", 1) for line in lines if line)

    def upload(self, name: str, npz: Path) -> None:
        answer = (
            self.client.post("/datasets", json={"name": name}).raise_for_status().json()
        )
        httpx.put(answer["upload_url"], content=npz.read_bytes()).raise_for_status()

    def dataset(self, name: str) -> dict[str, object]:
        found = self.client.get("/datasets").raise_for_status().json()["datasets"]
        return next((one for one in found if one["name"] == name), {})


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("service"))
    yield running
    running.stop()
    running.client.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of this checkout, for a reader of the documents to work in."""
    folder = tmp_path / "digits"
    copy_checkout(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough real digits to learn something from in seconds."""
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    with np.load(ROOT / "data" / "starter.npz") as starter:
        counts = {"x_train": 2000, "y_train": 2000, "x_test": 300, "y_test": 300}
        np.savez_compressed(
            path, **{name: starter[name][:count] for name, count in counts.items()}
        )
    return path
