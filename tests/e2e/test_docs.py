"""The commands of docs/ for one machine with Docker, pasted into a shell."""

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloud.shell import output
from tests.conftest import ROOT, free_port
from tests.docs import Block, Shell, blocks, pattern
from tests.e2e.conftest import need_docker

SECTION = "On one machine, in containers"
IN_A_CONTAINER = "In a container"
READY = "Digits is ready"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    opened = Shell(ROOT, tmp_path / "log", {})
    yield opened
    opened.close()


@pytest.fixture
def open_shell(tmp_path: Path) -> Iterator[Callable[[], Shell]]:
    need_docker()
    opened: list[Shell] = []

    def open_shell() -> Shell:
        opened.append(Shell(ROOT, tmp_path / f"log{len(opened)}", {}))
        return opened[-1]

    yield open_shell
    for shell in opened:
        shell.close()


@pytest.mark.usefixtures("images")
def test_one_machine_with_docker_runs_as_pasted(shell: Shell) -> None:
    api, moto = str(free_port()), str(free_port())
    # By default sam serves at port 3000.
    ports = {"start-api": f"start-api --port {api}", "3000": api, "5000": moto}
    texts = texts_of("docs/deploy.md", SECTION)
    served, invoked = [shell.run(replace_all(text, ports)) for text in texts]
    assert '"prediction": 8' in served
    assert '"statusCode": 200' in invoked


def test_the_whole_service_in_a_container_runs_as_pasted(
    open_shell: Callable[[], Shell], tmp_path: Path
) -> None:
    name, port = f"digits-{uuid.uuid4().hex}", str(free_port())
    # The reader's own container, volume and folder may have the names of the document.
    replaced = {
        "--name digits": f"--name {name}",
        "exec digits": f"exec {name}",
        "cp digits:": f"cp {name}:",
        "-v digits:": f"-v {name}:",
        "-p 3000:": f"-p {port}:",
        "127.0.0.1:3000": f"127.0.0.1:{port}",
        "/data backup": f"/data {tmp_path}/backup",
    }
    (text,) = texts_of("docs/self-hosting.md", IN_A_CONTAINER)
    for written in replaced:
        assert written in text
    session = Block(IN_A_CONTAINER, replace_all(text, replaced))
    build, serve, *others = session.commands()
    try:
        open_shell().run(build.text)
        open_shell().start(serve.text, READY)
        shell = open_shell()
        for command in others:
            answer = shell.run(command.text)
            if command.output:
                assert re.fullmatch(pattern(command.output), answer), (command, answer)
        assert (tmp_path / "backup" / ".batch" / "api-key").exists()
    finally:
        output("docker", "rm", "--force", "--volumes", name)
        output("docker", "volume", "rm", "--force", name)


def texts_of(document: str, section: str) -> list[str]:
    return [block.text for block in blocks(document) if block.section == section]


def replace_all(text: str, replaced: dict[str, str]) -> str:
    for written, used in replaced.items():
        text = text.replace(written, used)
    return text
