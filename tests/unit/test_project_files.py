"""Files for GitHub, editors and pre-commit name targets, modules and folders that exist."""

import importlib.util
import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import digits
from tests.conftest import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = {
    name
    for names in re.findall(r"(?m)^([a-z0-9-]+(?: [a-z0-9-]+)*):", MAKEFILE)
    for name in names.split()
}
MAKE = re.compile(r"\bmake ([a-z][a-z0-9-]*)")
WORKSPACE = "${workspaceFolder}"
YAML_FILES = sorted(
    [*(ROOT / ".github").rglob("*.yml"), ROOT / ".pre-commit-config.yaml"]
)
JSON_FILES = sorted(
    [*(ROOT / ".vscode").glob("*.json"), *(ROOT / ".devcontainer").glob("*.json")]
)
REQUIREMENTS = [
    path
    for path in sorted((ROOT / "requirements").glob("*.in"))
    if path.with_suffix(".txt").exists()
]
PYTHONS = ["3.11", "3.12", "3.13"]


def load(name: str) -> Any:
    path = ROOT / name
    text = path.read_text()
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def in_workspace(path: str) -> Path:
    return ROOT / path.removeprefix(WORKSPACE).removeprefix("/")


LAUNCHES = {it["name"]: it for it in load(".vscode/launch.json")["configurations"]}
JOBS = load(".github/workflows/ci.yml")["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]
HOOKS = load(".pre-commit-config.yaml")["repos"][0]["hooks"]


@pytest.mark.parametrize("path", [*YAML_FILES, *JSON_FILES], ids=lambda path: path.name)
def test_a_file_can_be_parsed_and_names_make_targets_that_exist(path: Path) -> None:
    assert load(str(path.relative_to(ROOT)))
    assert set(MAKE.findall(path.read_text())) <= TARGETS


@pytest.mark.parametrize("name", LAUNCHES)
def test_a_launch_names_code_that_exists(name: str) -> None:
    launch = LAUNCHES[name]
    if "module" in launch:
        assert importlib.util.find_spec(launch["module"])
    else:
        assert in_workspace(launch["program"]).is_file()
    for argument in launch["args"]:
        if "/" in argument and "$" not in argument:
            assert in_workspace(argument).is_file(), argument
    folders = launch.get("env", {}).get("PYTHONPATH", ".").split(":")
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []


def test_a_task_is_one_make_target() -> None:
    commands = [task["command"] for task in load(".vscode/tasks.json")["tasks"]]
    assert [command for command in commands if not MAKE.fullmatch(command)] == []


def test_the_container_of_the_editor_recommends_the_same_extensions() -> None:
    vscode = load(".devcontainer/devcontainer.json")["customizations"]["vscode"]
    recommended = load(".vscode/extensions.json")["recommendations"]
    # The container is opened by this extension, from outside.
    assert {*vscode["extensions"], "ms-vscode-remote.remote-containers"} == {
        *recommended
    }


def test_ci_may_only_read_and_pins_each_action() -> None:
    workflow = load(".github/workflows/ci.yml")
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"]
    for action in (step["uses"] for step in STEPS if "uses" in step):
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", action)


def test_ci_runs_all_checks_and_each_python() -> None:
    commands = [step["run"] for step in STEPS if "run" in step]
    assert ".ci/run" in commands
    assert (ROOT / ".ci" / "run").is_file()
    assert JOBS["fast"]["strategy"]["matrix"]["python"] == PYTHONS
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"


def test_dependabot_looks_where_there_is_something_to_update() -> None:
    for update in load(".github/dependabot.yml")["updates"]:
        folders = update.get("directories") or [update["directory"]]
        pattern = {
            "docker": "Dockerfile",
            "pip": "*.in",
            "github-actions": ".github/workflows/*.yml",
        }[update["package-ecosystem"]]
        for folder in folders:
            assert list((ROOT / folder.strip("/")).glob(pattern)), folder
        assert update["groups"]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_runs_a_tool_of_make_lint(hook: dict[str, Any]) -> None:
    program, *arguments = shlex.split(hook["entry"])
    assert hook["language"] == "system"
    if program == "make":
        assert arguments[0] in TARGETS
    else:
        assert f"$(BIN)/{Path(program).name} {arguments[0]}" in MAKEFILE


def test_a_target_that_help_lists_is_phony() -> None:
    listed = re.findall(r"(?m)^([a-z0-9-]+):.*##", MAKEFILE)
    phony = re.findall(r"(?m)^\.PHONY: (.+)$", MAKEFILE)
    assert {*listed} <= {name for names in phony for name in names.split()}


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_each_requirement_is_locked(path: Path) -> None:
    # Installers write all names alike: https://peps.python.org/pep-0503/#normalized-names
    locked = path.with_suffix(".txt").read_text()
    for name in re.findall(r"(?m)^([A-Za-z][\w.-]*)", path.read_text()):
        normalised = re.sub(r"[-_.]+", "-", name).lower()
        assert re.search(rf"(?m)^{normalised}(\[.+\])?==", locked), name


def test_the_newest_version_of_the_changelog_is_the_codes() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(
        r"(?m)^## \[?(\d+\.\d+\.\d+)\]? - \d{4}-\d{2}-\d{2}$", changelog
    )
    assert versions[0] == digits.__version__
