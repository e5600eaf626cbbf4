"""uv and pip: which of them there is, and how each is called.

Nothing of theirs is put into the environments that they install into.
"""

from __future__ import annotations  # Runs on older Pythons too.

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from local.setup import pip_settings

ROOT = Path(__file__).parents[2]
UV_LOCK = ROOT / "requirements" / "uv.txt"
# Where uv and pip are put if this machine has none.
TOOLS = ROOT / ".venv" / ".tools"
OLDEST, NEWEST = (3, 11), (3, 13)
PYTHONS = ">=3.11,<3.14"
PYTHON_NEEDED = (
    "Python 3.11, 3.12 or 3.13 is needed (TensorFlow has no stable release for 3.14). "
    "Install one and name it, make run PYTHON=/path/to/python3.13, or install uv, which gets one."
)
# Lines that say why a command failed.
LAST_LINES = 12


class InstallationError(Exception):
    """The packages cannot be installed. The message says what to do."""


class Installer(NamedTuple):
    """How to call uv or pip.

    Attributes:
        command: installs what is added to it.
        locked: options for a lock: its checksums are compared, and it lists all there
            is to install.
        reinstall: option to replace what is there.
        compiling: options by whether modules are to be compiled now.
        environment: variables for it.
    """

    command: list[str]
    locked: list[str]
    reinstall: str
    compiling: dict[bool, list[str]]
    environment: dict[str, str]


def python_of(folder: Path) -> str:
    """The Python of an environment."""
    return str(folder / "bin" / "python")


def works(*command: str, environment: dict[str, str] | None = None) -> bool:
    """Whether a command can be run, and ends well."""
    try:
        return (
            subprocess.run(
                command, env=environment, capture_output=True, check=False
            ).returncode
            == 0
        )
    except OSError:
        return False


def create(folder: Path) -> None:
    """Make an empty environment, of this Python, or where that is out of range of one that uv finds or gets.

    Raises:
        InstallationError: there is no Python in range.
    """
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
        return
    uv = _uv()
    command = [uv or "uv", "venv", "--no-project", "--python", PYTHONS, str(folder)]
    if not works(*command, environment=_uv_environment(_pip_settings())):
        raise InstallationError(PYTHON_NEEDED)


def for_environment(folder: Path) -> Iterator[Installer]:
    """What can install into an environment, in the order in which to try.

    Raises:
        InstallationError: there is nothing more.
    """
    uv = _uv()
    if uv:
        yield _as_uv(uv, folder)
    yield _as_pip(folder)


def last_lines(output: str) -> str:
    """The end of a command's output, which says why it failed."""
    return "\n".join(output.strip().splitlines()[-LAST_LINES:])


def _as_uv(uv: str, folder: Path) -> Installer:
    settings = _pip_settings()
    return Installer(
        [
            uv,
            "pip",
            "install",
            "--python",
            python_of(folder),
            *pip_settings.uv_options(settings),
        ],
        # With --require-hashes uv would refuse the constraints of pip's settings. The
        # locks have a checksum for all.
        locked=["--verify-hashes", "--no-deps"],
        reinstall="--reinstall",
        compiling={True: ["--compile-bytecode"], False: []},
        environment=_uv_environment(settings),
    )


def _as_pip(folder: Path) -> Installer:
    return Installer(
        [
            *_pip(),
            "--python",
            python_of(folder),
            "install",
            "--disable-pip-version-check",
        ],
        locked=["--require-hashes", "--no-deps"],
        reinstall="--force-reinstall",
        compiling={True: ["--compile"], False: ["--no-compile"]},
        environment=dict(os.environ),
    )


def _pip_settings() -> dict[str, str]:
    pip = _present_pip()
    return pip_settings.parse_settings(_run(*pip, "config", "list")) if pip else {}


def _uv_environment(settings: dict[str, str]) -> dict[str, str]:
    return {**os.environ, **pip_settings.uv_variables(settings)}


def _uv() -> str | None:
    """The uv on the PATH, or one that pip gets; None where uv cannot be got or does not run."""
    own = str(TOOLS / "uv" / "bin" / "uv")
    for candidate in (shutil.which("uv"), own):
        if candidate and works(candidate, "--version"):
            return candidate
    options = [
        "--quiet",
        "--no-compile",
        "--only-binary=:all:",
        "--require-hashes",
        "--no-deps",
    ]
    target = ["--upgrade", "--target", str(TOOLS / "uv"), "--requirement", str(UV_LOCK)]
    is_there = works(*_pip(), "install", *options, *target) and works(own, "--version")
    return own if is_there else None


def _pip() -> list[str]:
    """A pip, in an environment of its own where Python comes without, as Debian's does.

    Raises:
        InstallationError: there is none, and Python cannot make one.
    """
    present = _present_pip()
    if present:
        return present
    if not works(sys.executable, "-m", "venv", "--clear", str(TOOLS / "pip")):
        shutil.rmtree(TOOLS / "pip", ignore_errors=True)
        raise InstallationError(
            "Python's venv and pip are needed. On Debian and Ubuntu: apt-get install python3-venv"
        )
    return _present_pip()


def _present_pip() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    own = python_of(TOOLS / "pip")
    return [own, "-m", "pip"] if works(own, "-m", "pip", "--version") else []


def _run(*command: str) -> str:
    """What a command prints.

    Raises:
        InstallationError: it fails.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InstallationError(
            f"{' '.join(command)} failed.\n{last_lines(done.stderr or done.stdout)}"
        )
    return done.stdout
