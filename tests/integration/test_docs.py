"""README.md, pasted into a shell block by block, against the service that its own `make run` starts."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import free_port
from tests.docs import Shell, blocks, pattern

# They want an AWS account; tests/integration/cloud/test_docs.py is about them.
ON_AWS = "Deploy it"
# It wants Docker; tests/e2e/test_docs.py is about it.
IN_CONTAINER = "Run it in a container"
# It runs this test.
TEST = "make test"
SERVE = "make run"
# The README trains on all of MNIST, the test on a thirtieth of it.
ACCURACY, ACCURACY_OF_FEW = '"accuracy":0.99', '"accuracy":0'


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def shells(folder: Path, port: int, tiny_npz: Path) -> Iterator[list[Shell]]:
    """Two of them, as the reader has: one for the service."""
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
    here = [
        block
        for block in blocks("README.md")
        if block.section not in (ON_AWS, IN_CONTAINER)
    ]
    session = [command for block in here for command in block.commands()]
    served, *others = [
        (command.replace(":3000", f":{port}"), output) for command, output in session
    ]
    assert served[0].startswith(SERVE)
    server.start(served[0], "Digits is ready")
    for command, output in others:
        if command.strip() == TEST:
            continue
        answer = shell.run(command)
        if output:
            expected = output.replace(":3000", f":{port}").replace(
                ACCURACY, ACCURACY_OF_FEW
            )
            assert re.fullmatch(pattern(expected), answer), (command, answer)
