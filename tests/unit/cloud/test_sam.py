"""Only cloud/sam.py imports the Python code of SAM, and SAM still has the imported names."""

import ast
import platform
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.conftest import ROOT

SAM = ROOT / "cloud" / "sam.py"
PACKAGES = {"samcli", "samtranslator"}
FOLDERS = ("bench", "cloud", "functions", "layers", "local", "research", "tests")


def imports(path: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    """The statements in a file that import SAM's code."""
    for node in ast.walk(ast.parse(path.read_text())):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
        packages = {module.partition(".")[0] for module in modules}
        if packages & PACKAGES:
            assert isinstance(node, (ast.Import, ast.ImportFrom))
            yield node


def imported_names() -> list[tuple[str, str]]:
    """The module and the name of each `from samcli... import ...` in cloud/sam.py."""
    return [
        (node.module, alias.name)
        for node in imports(SAM)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    ]


@pytest.mark.parametrize(("module", "name"), imported_names())
def test_sam_has_each_name_that_is_imported(module: str, name: str) -> None:
    release = version("aws-sam-cli")
    try:
        exists = hasattr(import_module(module), name)
    except ImportError:
        exists = False
    if not exists:
        pytest.fail(
            f"aws-sam-cli {release} has moved or removed {module}.{name}. "
            "The docstring of cloud/sam.py says what stops without it.",
            pytrace=False,
        )


def test_sam_comes_with_the_runtime_interface_emulator() -> None:
    machine = platform.machine().replace("aarch64", "arm64")
    assert import_module("cloud.sam").emulator(machine).is_file()


def test_no_other_file_imports_the_code_of_sam() -> None:
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    assert SAM in paths
    assert [path for path in paths if path != SAM and any(imports(path))] == []
