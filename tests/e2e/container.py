"""A container of the whole service, run by Docker."""

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from cloud import shell
from tests.conftest import ROOT

PORT = 3000
START_SECONDS = 60
KEY = re.compile(r"Authorization: Bearer (\S+?)[\"']")


class Container:
    """A running container.

    Args:
        name: the container's id.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def inspect(self, *path: str) -> Any:
        """A part of the container's description by Docker."""
        (part,) = json.loads(shell.output("docker", "inspect", self.name))
        for key in path:
            part = part[key]
        return part

    def published(self) -> str:
        """The URL on this machine's address."""
        return "http://" + shell.output("docker", "port", self.name, str(PORT))

    def own(self) -> str:
        """The URL on the container's address."""
        return f"http://{self.inspect('NetworkSettings', 'IPAddress')}:{PORT}"

    def log(self) -> str:
        """The container's output."""
        return shell.output("docker", "logs", self.name)

    def client(self) -> httpx.Client:
        """A client that sends the key from the log."""
        (key,) = KEY.findall(self.log())
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.own(), headers=headers, timeout=60)

    def catches(self, number: signal.Signals) -> bool:
        """Whether the first process handles a signal. The kernel drops other signals."""
        status = Path(f"/proc/{self.inspect('State', 'Pid')}/status").read_text()
        (caught,) = re.findall(r"^SigCgt:\s+(\w+)$", status, re.MULTILINE)
        return bool(int(caught, 16) >> (number - 1) & 1)

    def execute(self, *command: str) -> str:
        """The output of a command in the container."""
        return shell.output("docker", "exec", self.name, *command)

    def wait(
        self, condition: Callable[[], bool], seconds: float = START_SECONDS
    ) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)

    def wait_until_ready(self) -> None:
        """Wait until the service answers."""
        self.wait(self._answers)

    def _answers(self) -> bool:
        assert self.inspect("State", "Running"), self.log()
        try:
            return httpx.get(f"{self.published()}/health").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


@contextmanager
def started(image: str, *options: str) -> Iterator[Container]:
    """A container of an image, with options of `docker run`, which is removed afterwards."""
    publish = ("--detach", "--publish", f"127.0.0.1::{PORT}")
    container = Container(shell.output("docker", "run", *publish, *options, image))
    try:
        yield container
    finally:
        shell.output("docker", "rm", "--force", "--volumes", container.name)


@contextmanager
def running(image: str, *options: str) -> Iterator[Container]:
    """A container as `started` makes it, once the service answers."""
    with started(image, *options) as container:
        container.wait_until_ready()
        yield container


def predict(url: str) -> httpx.Response:
    """A server's answer to the picture of an 8."""
    png = (ROOT / "example" / "8.png").read_bytes()
    headers = {"Content-Type": "image/png"}
    return httpx.post(f"{url}/predict", content=png, headers=headers, timeout=60)
