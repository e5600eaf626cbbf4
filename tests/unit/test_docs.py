"""What README.md and docs/ name exists: variables, targets of make, the command's subcommands, routes of the API."""

import re
from typing import Any

import pytest
import typer.main

from cloud.sam import read_template
from local import template
from local.cli import app
from tests.conftest import ROOT
from tests.docs import blocks

DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
)
# In the order in which they are read.
ON_AWS = ["docs/deploy.md", "docs/operations.md"]
# Set by the shell, by whoever runs containers, and by `aws configure export-credentials`.
KNOWN = {
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
# Not the container of this name.
DIGITS = re.compile(
    r"(?<![\w/.-])(?<!exec )(?:\.venv/bin/)?digits ([a-z]+)(?: ([a-z]+))?"
)
ROUTE = re.compile(r"\b(GET|POST|PUT|DELETE) (/[\w{}/.]*)")


def found(wanted: re.Pattern[str]) -> set[Any]:
    """What the documents name, in code and not in comments."""
    pieces = [
        piece
        for document in DOCUMENTS
        for piece in CODE.findall((ROOT / document).read_text())
    ]
    return {
        match for piece in pieces for match in wanted.findall(COMMENT.sub("", piece))
    }


def printed_by_make_url() -> set[str]:
    outputs = read_template(ROOT / "template.yaml")["Outputs"].keys() - {"Curl"}
    return {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper() for name in outputs} | {
        "STACK",
        "AWS_REGION",
    }


@pytest.mark.parametrize("document", ["README.md", *ON_AWS])
def test_code_is_in_fences_which_say_what_it_is(document: str) -> None:
    assert (
        re.findall(r"(?m)^ {4,}.*", FENCED.sub("", (ROOT / document).read_text())) == []
    )


@pytest.mark.parametrize("document", ON_AWS)
def test_a_block_uses_what_a_block_before_it_sets(document: str) -> None:
    known = set(KNOWN)
    # Its first lines ask for what the steps of the other one set.
    before = [
        block
        for earlier in ON_AWS[: ON_AWS.index(document)]
        for block in blocks(earlier)
    ]
    for block in before + blocks(document):
        for line in block.text.splitlines():
            if "make url" in line:
                known |= printed_by_make_url()
            known |= set(ASSIGNED.findall(line))
            assert set(VARIABLE.findall(line)) <= known, line


def test_variables_in_the_text_are_those_of_a_block() -> None:
    assigned = {
        name
        for document in DOCUMENTS
        for block in blocks(document)
        for name in ASSIGNED.findall(block.text)
    }
    assert found(VARIABLE) <= KNOWN | printed_by_make_url() | assigned


def test_targets_of_make_exist() -> None:
    targets = {
        name
        for line in TARGETS.findall((ROOT / "Makefile").read_text())
        for name in line.split()
    }
    named = {name for line in found(MAKE) for name in line.split()}
    assert len(named) > 10
    assert named <= targets


def test_subcommands_of_digits_exist() -> None:
    command: Any = typer.main.get_command(app.app)
    named = found(DIGITS)
    assert len(named) > 3
    for name, second in named:
        assert name in command.commands
        if hasattr(command.commands[name], "commands"):
            assert second in command.commands[name].commands


def test_routes_of_the_api_exist() -> None:
    routes = [
        (it.method, re.sub(r"\{\w+\}", r"[^/]+", it.path))
        for it in template.read_template(ROOT / "template.yaml").routes
    ]
    named = found(ROUTE)
    assert len(named) > 10
    for method, path in named:
        fitting = [known for known, pattern in routes if re.fullmatch(pattern, path)]
        assert {method, "ANY"} & set(fitting), f"{method} {path}"


def test_the_readme_starts_the_container_as_the_page_that_is_tried() -> None:
    """tests/e2e/test_docs.py runs the page's commands."""
    tried = {
        command
        for block in blocks("docs/self-hosting.md")
        for command, _ in block.commands()
    }
    (started,) = [
        block for block in blocks("README.md") if block.section == IN_CONTAINER
    ]
    assert {_bare(command) for command, _ in started.commands()} <= {
        _bare(command) for command in tried
    }


def _bare(command: str) -> str:
    return command.partition("#")[0].strip()
