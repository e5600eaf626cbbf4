"""README.md and docs/ name only existing variables, targets of make, subcommands and routes."""

import re
from typing import Any

import pytest
import typer.main

from cloud.sam import read_template
from local import template
from local.cli import app
from tests.conftest import ROOT
from tests.docs import Block, blocks

PATHS = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
DOCUMENTS = sorted(str(path.relative_to(ROOT)) for path in PATHS)
# In the order in which a reader follows them.
ON_AWS = ["docs/deploy.md", "docs/operations.md"]
# The shell, the user of a container, and `aws configure export-credentials` set these variables.
PREDEFINED = {
    "PATH",
    "PWD",
    "PORT",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
}
IN_CONTAINER = "Run it in a container"
FENCED = re.compile(r"```.*?```", re.DOTALL)
CODE = re.compile(rf"{FENCED.pattern}|`[^`]+`", re.DOTALL)
COMMENT = re.compile(r"\s#.*")
VARIABLE = re.compile(r"\$\{?([A-Z_]+)")
ASSIGNED = re.compile(r"\b([A-Z_]+)=")
TARGETS = re.compile(r"^([a-z0-9-]+(?: [a-z0-9-]+)*):", re.MULTILINE)
MAKE = re.compile(r"\bmake ((?:[a-z][a-z0-9-]* ?)+)")
# The command `digits`, and not the container of the same name.
DIGITS = re.compile(
    r"(?<![\w/.-])(?<!exec )(?:\.venv/bin/)?digits ([a-z]+)(?: ([a-z]+))?"
)
ROUTE = re.compile(r"\b(GET|POST|PUT|DELETE) (/[\w{}/.]*)")


def names_in_code(pattern: re.Pattern[str]) -> set[Any]:
    """The names that match in the documents' code. Comments do not count."""
    names: set[Any] = set()
    for document in DOCUMENTS:
        for code in CODE.findall((ROOT / document).read_text()):
            names.update(pattern.findall(COMMENT.sub("", code)))
    return names


def variables_of_make_url() -> set[str]:
    """The variables that `make url` prints."""
    outputs = read_template(ROOT / "template.yaml")["Outputs"].keys() - {"Curl"}
    variables = {"STACK", "AWS_REGION"}
    for name in outputs:
        variables.add(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper())
    return variables


@pytest.mark.parametrize("document", ["README.md", *ON_AWS])
def test_code_is_fenced(document: str) -> None:
    text = FENCED.sub("", (ROOT / document).read_text())
    assert re.findall(r"(?m)^ {4,}.*", text) == []


@pytest.mark.parametrize("document", ON_AWS)
def test_a_block_uses_only_variables_that_were_set_before(document: str) -> None:
    known = set(PREDEFINED)
    # A document continues the earlier documents.
    for name in ON_AWS[: ON_AWS.index(document) + 1]:
        for block in blocks(name):
            for line in block.text.splitlines():
                if "make url" in line:
                    known |= variables_of_make_url()
                known |= set(ASSIGNED.findall(line))
                assert set(VARIABLE.findall(line)) <= known, line


def test_a_block_sets_the_variables_of_the_text() -> None:
    known = PREDEFINED | variables_of_make_url()
    for document in DOCUMENTS:
        for block in blocks(document):
            known.update(ASSIGNED.findall(block.text))
    assert names_in_code(VARIABLE) <= known


def test_targets_of_make_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(" ".join(TARGETS.findall(makefile)).split())
    named = set(" ".join(names_in_code(MAKE)).split())
    assert len(named) > 10
    assert named <= targets


def test_subcommands_of_digits_exist() -> None:
    command: Any = typer.main.get_command(app.app)
    named = names_in_code(DIGITS)
    assert len(named) > 3
    for name, second in named:
        assert name in command.commands
        if hasattr(command.commands[name], "commands"):
            assert second in command.commands[name].commands


def test_routes_of_the_api_exist() -> None:
    routes = [
        (route.method, re.sub(r"\{\w+\}", r"[^/]+", route.path))
        for route in template.read_template(ROOT / "template.yaml").routes
    ]
    named = names_in_code(ROUTE)
    assert len(named) > 10
    for method, path in named:
        methods = {known for known, pattern in routes if re.fullmatch(pattern, path)}
        assert {method, "ANY"} & methods, f"{method} {path}"


def test_the_readme_repeats_commands_for_a_container_that_are_tested() -> None:
    """tests/e2e/test_docs.py runs the commands of docs/self-hosting.md."""
    tested: set[str] = set()
    for block in blocks("docs/self-hosting.md"):
        tested |= commands_of(block)
    readme = blocks("README.md")
    (repeated,) = [block for block in readme if block.section == IN_CONTAINER]
    assert commands_of(repeated) <= tested


def commands_of(block: Block) -> set[str]:
    """The commands of a session, without comments."""
    return {command.text.partition("#")[0].strip() for command in block.commands()}
