"""An architecture has an entry for the API, a module to train, and a row in the docs."""

import ast
from pathlib import Path

import pytest
from pydantic import ValidationError

from digits.architectures import ARCHITECTURES
from digits.parameters import Parameters
from tests.conftest import ROOT

NETWORKS = ROOT / "training" / "networks"
PARTS = {"build", "RECIPE"}


def names_defined_in(module: Path) -> set[str]:
    """Functions and constants of a module, without importing its TensorFlow."""
    names = set()
    for statement in ast.parse(module.read_text()).body:
        if isinstance(statement, ast.FunctionDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign):
            names |= {ast.unparse(target) for target in statement.targets}
    return names


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_has_a_network_and_a_recipe(name: str) -> None:
    module = NETWORKS / f"{name}.py"
    assert module.is_file(), f"Write {module.relative_to(ROOT)}."
    missing = PARTS - names_defined_in(module)
    assert not missing, f"{module.relative_to(ROOT)} lacks {missing}."


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_is_collected(name: str) -> None:
    collected = (NETWORKS / "__init__.py").read_text()
    line = f'"{name}": Network({name}.build, {name}.RECIPE),'
    assert line in collected, f"Add {line} to NETWORKS in training/networks."


def test_a_network_can_be_asked_for() -> None:
    modules = [path for path in NETWORKS.glob("*.py") if path.stem != "__init__"]
    networks = {path.stem for path in modules if "RECIPE" in names_defined_in(path)}
    missing = networks - ARCHITECTURES.keys()
    assert not missing, f"Add {missing} to ARCHITECTURES in digits/architectures.py."


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_is_documented(name: str) -> None:
    it = ARCHITECTURES[name]
    row = f"| `{name}` | {it.description} | {it.epochs} | {it.learning_rate} |"
    document = (ROOT / "docs" / "architecture.md").read_text()
    assert row in document, f"Add {row} to docs/architecture.md."


def test_the_api_lists_the_architectures() -> None:
    field = Parameters.model_json_schema()["properties"]["architecture"]
    assert field["enum"] == list(ARCHITECTURES)
    for name, architecture in ARCHITECTURES.items():
        assert f"{name}: {architecture.description}" in field["description"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_brings_its_defaults(name: str) -> None:
    parameters = Parameters(architecture=name)
    assert parameters.epochs == ARCHITECTURES[name].epochs
    assert parameters.learning_rate == ARCHITECTURES[name].learning_rate
    assert Parameters(architecture=name, epochs=7).epochs == 7


def test_the_default_architecture_is_lite() -> None:
    assert Parameters() == Parameters(architecture="lite")


@pytest.mark.parametrize("name", ["gpt", "", None, 7, ["lab"], {"lab": 1}])
def test_another_architecture_is_refused(name: object) -> None:
    with pytest.raises(ValidationError, match=r"Input should be 'lab'.* or 'lite'"):
        Parameters(architecture=name)
