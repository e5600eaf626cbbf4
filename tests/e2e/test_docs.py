"""What docs/ says of one machine with Docker, pasted into a shell."""

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloud.shell import output
from tests.conftest import ROOT, free_port
from tests.docs import Block, Shell, blocks, pattern

SECTION = "On one machine, in containers"
IN_A_CONTAINER = "In a container"
READY = "Digits is ready"


@pytest.fixture
def shell(
    images: None,  # noqa: ARG001
    environment: pytest.MonkeyPatch,  # noqa: ARG001
    tmp_path: Path,
) -> Iterator[Shell]:
    opened = Shell(ROOT, tmp_path / "log", {})
    yield opened
    opened.close()


@pytest.fixture
def open_shell(docker: None, tmp_path: Path) -> Iterator[Callable[[], Shell]]:  # noqa: ARG001
    opened: list[Shell] = []

    def open_shell() -> Shell:
        opened.append(Shell(ROOT, tmp_path / f"log{len(opened)}", {}))
        return opened[-1]

    yield open_shell
    for shell in opened:
        shell.close()


def test_one_machine_with_docker_runs_as_pasted(shell: Shell) -> None:
    api, moto = str(free_port()), str(free_port())
    # sam's own port is 3000.
    ports = {"start-api": f"start-api --port {api}", "3000": api, "5000": moto}
    texts = [
        block.text for block in blocks("docs/deploy.md") if block.section == SECTION
    ]
    for written, used in ports.items():
        texts = [text.replace(written, used) for text in texts]
    served, invoked = map(shell.run, texts)
    assert '"prediction": 8' in served
    assert '"statusCode": 200' in invoked


def test_the_whole_service_in_a_container_runs_as_pasted(
    open_shell: Callable[[], Shell], tmp_path: Path
) -> None:
    name, port = f"digits-{uuid.uuid4().hex}", str(free_port())
    # A container, a volume and a folder of the reader's may have these names.
    used = {
        "--name digits": f"--name {name}",
        "exec digits": f"exec {name}",
        "cp digits:": f"cp {name}:",
        "-v digits:": f"-v {name}:",
        "-p 3000:": f"-p {port}:",
        "127.0.0.1:3000": f"127.0.0.1:{port}",
        "/data backup": f"/data {tmp_path}/backup",
    }
    (block,) = [
        block
        for block in blocks("docs/self-hosting.md")
        if block.section == IN_A_CONTAINER
    ]
    text = block.text
    for written, replaced in used.items():
        assert written in text
        text = text.replace(written, replaced)
    (build, _), (serve, _), *others = Block(IN_A_CONTAINER, text).commands()
    try:
        open_shell().run(build)
        open_shell().start(serve, READY)
        shell = open_shell()
        for command, expected in others:
            answer = shell.run(command)
            assert not expected or re.fullmatch(pattern(expected), answer), (
                command,
                answer,
            )
        assert (tmp_path / "backup" / ".batch" / "api-key").exists()
    finally:
        output("docker", "rm", "--force", "--volumes", name)
        output("docker", "volume", "rm", "--force", name)
