"""What docs/deploy.md says of one machine with Docker, pasted into a shell."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs import Shell, blocks

SECTION = "On one machine, in containers"


@pytest.fixture
def shell(images: None, environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:  # noqa: ARG001
    opened = Shell(ROOT, tmp_path / "log", {})
    yield opened
    opened.close()


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_one_machine_with_docker_runs_as_pasted(shell: Shell) -> None:
    api, moto = free_port(), free_port()
    # sam's own port is 3000.
    ports = {"start-api": f"start-api --port {api}", "3000": api, "5000": moto}
    texts = [block.text for block in blocks("docs/deploy.md") if block.section == SECTION]
    for written, used in ports.items():
        texts = [text.replace(written, used) for text in texts]
    served, invoked = map(shell.run, texts)
    assert '"prediction": 8' in served
    assert '"statusCode": 200' in invoked
