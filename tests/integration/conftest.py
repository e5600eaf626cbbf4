"""The service in a process of its own, with a store of its own, and data for its trainings."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import free_port
from tests.docs import copy_checkout

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


class Service:
    """A process of `digits serve` on a free port, and a client. The store outlives `stop`.

    Args:
        folder: takes the log, and the store unless `store_url` is given.
        store_url: where the store is.
        variables: of the environment, besides this process's own.

    Attributes:
        client: speaks to the service.
        log: what the process prints.
        process: the server, which starts the functions.
        store_url: where the store is.
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
        """The environment variables of a function's process, as the kernel shows them."""
        server = self.process.pid
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        lines = Path(f"/proc/{children[0]}/environ").read_text().split("\0")
        return dict(line.split("=", 1) for line in lines if line)

    def predict(self, png: bytes, **query: str) -> httpx.Response:
        headers = {"Content-Type": "image/png"}
        return self.client.post("/predict", content=png, headers=headers, params=query)

    def upload(self, name: str, npz: Path) -> None:
        answer = self.client.post("/datasets", json={"name": name}).raise_for_status()
        upload_url = answer.json()["upload_url"]
        httpx.put(upload_url, content=npz.read_bytes()).raise_for_status()

    def dataset(self, name: str) -> dict[str, object]:
        """A dataset in the list; empty if the list has no dataset of this name."""
        answer = self.client.get("/datasets").raise_for_status()
        for dataset in answer.json()["datasets"]:
            if dataset["name"] == name:
                return dict(dataset)
        return {}

    def release(self, version: str) -> None:
        reason = {"reason": "Released by a test."}
        answer = self.client.post(f"/models/{version}/release", json=reason)
        assert answer.status_code == httpx.codes.CREATED, answer.text

    def unhandled_errors(self) -> list[str]:
        """The lines of the log that tell of an error that no code handled."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if "Unhandled" in line or "Traceback" in line]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("service"))
    yield running
    running.stop()
    running.client.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of this checkout, in which a test acts as a reader of the documents."""
    folder = tmp_path / "digits"
    copy_checkout(folder)
    return folder
