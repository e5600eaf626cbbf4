"""Which Python `make` takes, what it says when there is none, and when it makes .venv again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

MAKE = shutil.which("make") or "make"
# Says that its version is another one.
STAND_IN = """#!/bin/sh
exec {python} -c 'import sys; sys.version_info = {version}; exec(sys.argv[2])' "$@"
"""


def install(folder: Path, versions: dict[str, tuple[int, ...]]) -> None:
    for name, version in versions.items():
        (folder / name).write_text(
            STAND_IN.format(python=sys.executable, version=version)
        )
        (folder / name).chmod(0o755)


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in the folder, which is all that is on the PATH."""
    shutil.copy(ROOT / "Makefile", folder)
    for needed in ["requirements/dev.txt", "requirements/serve.txt"]:
        (folder / needed).parent.mkdir(exist_ok=True)
        (folder / needed).touch()
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"MAKEFLAGS", "MAKELEVEL", "PYTHON"}
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
def test_the_first_python_in_range_is_taken(
    tmp_path: Path, installed: dict[str, tuple[int, ...]], taken: str
) -> None:
    install(tmp_path, installed)
    assert (
        make(
            tmp_path, "--silent", "--eval", "taken: ; $(info $(PYTHON)):", "taken"
        ).stdout
        == f"{taken}\n"
    )


def test_without_a_python_in_range_uv_is_asked_for_one(tmp_path: Path) -> None:
    install(tmp_path, {"python3": (3, 10, 9)})
    (tmp_path / "uv").write_text('#!/bin/sh\necho "uv $@"\n')
    (tmp_path / "uv").chmod(0o755)
    said = make(
        tmp_path, "setup", "--old-file=requirements/dev.txt", "--dry-run"
    ).stdout
    assert (
        "uv run --quiet --no-project --python '>=3.11,<3.14' python -m local.setup.installation dev"
        in said
    )


def test_without_any_python_one_line_says_so(tmp_path: Path) -> None:
    line, of_make = make(tmp_path, "run").stderr.splitlines()
    assert line == "Python 3.11, 3.12 or 3.13 is needed, or uv, which downloads Python."
    assert of_make.startswith("make: ***")


def test_an_environment_whose_python_is_gone_is_made_again(tmp_path: Path) -> None:
    install(tmp_path, {"python3": (3, 13, 5)})
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (binaries / "python").chmod(0o755)
    up_to_date = ["--dry-run", "--old-file=requirements/dev.txt", "setup"]
    (tmp_path / ".venv" / ".complete").touch()
    assert "Nothing to be done" in make(tmp_path, *up_to_date).stdout
    (binaries / "python").unlink()
    (binaries / "python").symlink_to(tmp_path / "gone")
    assert (
        "-m local.setup.installation dev .venv/.complete"
        in make(tmp_path, *up_to_date).stdout
    )
