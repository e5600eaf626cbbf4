"""README.md, pasted into a shell block by block, against its own `make run`."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import free_port
from tests.docs import Command, Shell, blocks, pattern

# This section needs an AWS account. tests/integration/cloud/test_docs.py runs its commands.
ON_AWS = "Deploy it"
# This section needs Docker. tests/e2e/test_docs.py runs its commands.
IN_CONTAINER = "Run it in a container"
# This command would run this test.
TEST = "make test"
SERVE = "make run"
# The README trains on all of MNIST, the test on a thirtieth of it.
ACCURACY, TINY_ACCURACY = '"accuracy":0.99', '"accuracy":0'


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def shells(folder: Path, port: int, tiny_npz: Path) -> Iterator[list[Shell]]:
    """Two shells, as the reader has: the first for the service."""
    variables = {"PORT": str(port), "MNIST_NPZ": str(tiny_npz)}
    opened = [
        Shell(folder, folder.with_name(f"log{number}"), variables)
        for number in range(2)
    ]
    yield opened
    for shell in opened:
        shell.close()


@pytest.mark.long
def test_the_readme_runs_as_pasted(shells: list[Shell], port: int) -> None:
    server, shell = shells
    serve, *others = commands_of_the_readme(port)
    assert serve.text.startswith(SERVE)
    server.start(serve.text, "Digits is ready")
    for command in others:
        if command.text.strip() == TEST:
            continue
        answer = shell.run(command.text)
        if command.output:
            expected = command.output.replace(ACCURACY, TINY_ACCURACY)
            assert re.fullmatch(pattern(expected), answer), (command, answer)


def commands_of_the_readme(port: int) -> list[Command]:
    """The commands that need neither an AWS account nor Docker, at the test's port."""
    commands = []
    for block in blocks("README.md"):
        if block.section not in (ON_AWS, IN_CONTAINER):
            commands += block.commands()
    return [
        Command(
            command.text.replace(":3000", f":{port}"),
            command.output.replace(":3000", f":{port}"),
        )
        for command in commands
    ]
