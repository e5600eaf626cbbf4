"""The documents list the problem types that the API answers with."""

import ast
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

from tests.conftest import ROOT

ROW = re.compile(r"(?m)^\| `(?P<slug>[a-z-]+)` \| (?P<status>[45]\d\d) \| .+ \|$")
# Where errors are raised that callers of the API get.
PLACES = [
    ROOT / "layers" / "shared" / "digits",
    ROOT / "functions",
    *(ROOT / "local" / name for name in ("api_gateway", "aws_batch", "aws_lambda")),
]


def class_constants(definition: ast.ClassDef) -> dict[str, str]:
    constants = {}
    for statement in definition.body:
        if isinstance(statement, ast.Assign):
            constants[ast.unparse(statement.targets[0])] = ast.unparse(statement.value)
        elif isinstance(statement, ast.AnnAssign) and statement.value:
            constants[ast.unparse(statement.target)] = ast.unparse(statement.value)
    return constants


def problem_types(path: Path) -> Iterator[tuple[str, int | None]]:
    """The slug and the status of each error in a module; None for an inherited status."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ClassDef):
            continue
        constants = class_constants(node)
        if "slug" not in constants:
            continue
        name = constants.get("status", "").removeprefix("HTTPStatus.")
        status = HTTPStatus[name].value if name else None
        yield ast.literal_eval(constants["slug"]), status


def test_the_table_has_each_problem_type_with_its_status() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    listed = {row["slug"]: int(row["status"]) for row in ROW.finditer(page)}
    raised = [
        problem
        for place in PLACES
        for path in place.rglob("*.py")
        for problem in problem_types(path)
    ]
    assert {slug for slug, _ in raised} == listed.keys()
    for slug, status in raised:
        assert status in {None, listed[slug]}, slug
