"""The table of settings has the variables that the code reads, and the parameters."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloud.sam import read_template
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "make-it-yours.md").read_text()
ROW = re.compile(
    r"(?m)^\| `(?P<name>\w+)` \|(?P<default>.*?)\| (?P<places>`.*?) \| .+ \|$"
)
CODE = re.compile(r"`([^`]+)`")
SOURCES = [
    ROOT / "main.py",
    *(
        path
        for folder in ("cloud", "functions", "layers", "local", "training")
        for path in (ROOT / folder).rglob("*.py")
    ),
]
# How the code names a variable that it reads or sets.
PYTHON_NAMES = re.compile(
    r'environ(?:\.\w+\(|\[)\s*"(\w+)"'
    r'|envvar="(\w+)"'
    r'|"((?:DIGITS|POWERTOOLS|AWS_DEFAULT|AWS_ENDPOINT|TF|KERAS)_[A-Z_]+)"'
)
MAKE_NAMES = re.compile(r"(?m)^([A-Z]+) \?=")
TEMPLATE_NAMES = re.compile(r"(?m)^ +((?:DIGITS|POWERTOOLS)_[A-Z_]+):")
# Only Lambda and the pool of processes set these variables.
OF_THE_RUNTIME = {
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "TMPDIR",
    "_HANDLER",
}


@dataclass(frozen=True)
class Setting:
    name: str
    default: str
    places: list[str]


SETTINGS = [
    Setting(row["name"], row["default"].strip(" `"), CODE.findall(row["places"]))
    for row in ROW.finditer(PAGE)
]
PARAMETERS = read_template(ROOT / "template.yaml")["Parameters"]


def names_in(path: Path, pattern: re.Pattern[str]) -> set[str]:
    matches = pattern.finditer(path.read_text())
    return {name for match in matches for name in match.groups() if name}


def variables() -> set[str]:
    names = names_in(ROOT / "Makefile", MAKE_NAMES)
    names |= names_in(ROOT / "template.yaml", TEMPLATE_NAMES)
    for path in SOURCES:
        names |= names_in(path, PYTHON_NAMES)
    return names - OF_THE_RUNTIME


def test_the_table_has_each_variable_and_parameter_once() -> None:
    names = [setting.name for setting in SETTINGS]
    assert sorted(names) == sorted(variables() | PARAMETERS.keys())


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_setting_is_read_where_the_table_says(setting: Setting) -> None:
    for place in setting.places:
        assert setting.name in (ROOT / place).read_text(), place


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_has_the_default_of_the_template(name: str) -> None:
    (setting,) = [setting for setting in SETTINGS if setting.name == name]
    assert setting.default == str(PARAMETERS[name].get("Default", ""))
