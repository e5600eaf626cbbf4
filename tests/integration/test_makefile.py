"""The Makefile finds a supported Python and replaces a broken .venv."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

MAKE = shutil.which("make") or "make"
# A program that runs Python and claims to be of another version.
STAND_IN = """#!/bin/sh
exec {python} -c 'import sys; sys.version_info = {version}; exec(sys.argv[2])' "$@"
"""

# A dry run that takes the lock as unchanged.
SETUP = ("--dry-run", "--old-file=requirements/dev.txt", "setup")
MAKE_VARIABLES = {"MAKEFLAGS", "MAKELEVEL", "PYTHON"}


def install(folder: Path, versions: dict[str, tuple[int, ...]]) -> None:
    """Write a Python of each version."""
    for name, version in versions.items():
        script = STAND_IN.format(python=sys.executable, version=version)
        write_program(folder / name, script)


def write_program(path: Path, script: str) -> None:
    path.write_text(script)
    path.chmod(0o755)


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in the folder, which is the only folder on the PATH."""
    shutil.copy(ROOT / "Makefile", folder)
    requirements = folder / "requirements"
    requirements.mkdir(exist_ok=True)
    for lock in ("dev.txt", "serve.txt"):
        (requirements / lock).touch()
    kept = {
        name: value for name, value in os.environ.items() if name not in MAKE_VARIABLES
    }
    command = [MAKE, "--no-print-directory", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=kept | {"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("installed", "taken"),
    [
        (
            {"python3.11": (3, 11, 2), "python3.13": (3, 13, 5), "python3": (3, 13, 5)},
            "python3.11",
        ),
        ({"python3.12": (3, 12, 3), "python3": (3, 12, 3)}, "python3.12"),
        ({"python3.13": (3, 13, 5), "python3": (3, 14, 0)}, "python3.13"),
        ({"python3": (3, 13, 5)}, "python3"),
    ],
)
def test_make_takes_the_first_supported_python(
    tmp_path: Path, installed: dict[str, tuple[int, ...]], taken: str
) -> None:
    install(tmp_path, installed)
    rule = "taken: ; $(info $(PYTHON)):"
    done = make(tmp_path, "--silent", "--eval", rule, "taken")
    assert done.stdout == f"{taken}\n"


def test_make_runs_uv_where_no_supported_python_is_installed(tmp_path: Path) -> None:
    install(tmp_path, {"python3": (3, 10, 9)})
    write_program(tmp_path / "uv", '#!/bin/sh\necho "uv $@"\n')
    output = make(tmp_path, *SETUP).stdout
    python = "uv run --quiet --no-project --python '>=3.11,<3.14' python"
    assert f"{python} -m local.setup.installation dev" in output


def test_make_says_which_python_to_install(tmp_path: Path) -> None:
    line, of_make = make(tmp_path, "run").stderr.splitlines()
    assert line == "Python 3.11, 3.12 or 3.13 is needed, or uv, which downloads Python."
    assert of_make.startswith("make: ***")


def test_make_replaces_an_environment_without_its_python(tmp_path: Path) -> None:
    install(tmp_path, {"python3": (3, 13, 5)})
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    python = binaries / "python"
    write_program(python, f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / ".venv" / ".complete").touch()
    assert "Nothing to be done" in make(tmp_path, *SETUP).stdout
    python.unlink()
    python.symlink_to(tmp_path / "gone")
    output = make(tmp_path, *SETUP).stdout
    assert "-m local.setup.installation dev .venv/.complete" in output
