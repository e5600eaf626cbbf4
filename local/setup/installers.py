"""uv and pip: how each is found and called.

Neither is installed into the environments for which it installs packages.
"""

from __future__ import annotations  # for older Pythons

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
# The folder for uv and pip on a machine without them.
TOOLS = ROOT / ".venv" / ".tools"
OLDEST, NEWEST = (3, 11), (3, 13)
PYTHONS = ">=3.11,<3.14"
PYTHON_NEEDED = (
    "Python 3.11, 3.12 or 3.13 is needed, as TensorFlow has no stable release for 3.14. "
    "Install Python 3.13 and run `make run PYTHON=/path/to/python3.13`, or install uv, "
    "which downloads Python."
)
# Enough of a failed command's output to see the reason.
LAST_LINES = 12


class InstallationError(Exception):
    """The packages cannot be installed. The message says what to do."""


class Installer(NamedTuple):
    """The command lines of uv or pip.

    Attributes:
        command: the installing command, without packages.
        locked: options for a lock, to compare checksums and add no dependencies.
        reinstall: the option to replace present packages.
        compiling: options by whether to compile modules now.
        environment: the environment variables.
    """

    command: list[str]
    locked: list[str]
    reinstall: str
    compiling: dict[bool, list[str]]
    environment: dict[str, str]


def python_of(folder: Path) -> str:
    """The path of an environment's Python."""
    return str(folder / "bin" / "python")


def works(*command: str, environment: dict[str, str] | None = None) -> bool:
    """Whether a command can be run, with exit status 0."""
    try:
        process = subprocess.run(
            command, env=environment, capture_output=True, check=False
        )
    except OSError:
        return False
    return process.returncode == 0


def create(folder: Path) -> None:
    """Create an empty environment, with this Python, or else with a Python that uv finds.

    Raises:
        InstallationError: there is no Python of a supported version.
    """
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
        return
    uv = _uv()
    command = [uv or "uv", "venv", "--no-project", "--python", PYTHONS, str(folder)]
    if not works(*command, environment=_uv_environment(_pip_settings())):
        raise InstallationError(PYTHON_NEEDED)


def for_environment(folder: Path) -> Iterator[Installer]:
    """The installers for an environment, in the order to try them.

    Raises:
        InstallationError: there is no further installer.
    """
    uv = _uv()
    if uv:
        yield _as_uv(uv, folder)
    yield _as_pip(folder)


def last_lines(output: str) -> str:
    """The end of a failed command's output, which has the reason."""
    return "\n".join(output.strip().splitlines()[-LAST_LINES:])


def _as_uv(uv: str, folder: Path) -> Installer:
    settings = _pip_settings()
    command = [uv, "pip", "install", "--python", python_of(folder)]
    command += pip_settings.uv_options(settings)
    return Installer(
        command,
        # The locks have a checksum for every package. With --require-hashes uv would
        # refuse the constraints of pip's settings.
        locked=["--verify-hashes", "--no-deps"],
        reinstall="--reinstall",
        compiling={True: ["--compile-bytecode"], False: []},
        environment=_uv_environment(settings),
    )


def _as_pip(folder: Path) -> Installer:
    command = [*_pip(), "--python", python_of(folder), "install"]
    return Installer(
        [*command, "--disable-pip-version-check"],
        locked=["--require-hashes", "--no-deps"],
        reinstall="--force-reinstall",
        compiling={True: ["--compile"], False: ["--no-compile"]},
        environment=dict(os.environ),
    )


def _pip_settings() -> dict[str, str]:
    pip = _present_pip()
    if not pip:
        return {}
    return pip_settings.parse_settings(_run(*pip, "config", "list"))


def _uv_environment(settings: dict[str, str]) -> dict[str, str]:
    return {**os.environ, **pip_settings.uv_variables(settings)}


def _uv() -> str | None:
    """The path of a uv, from the PATH or installed by pip; None if no uv can run."""
    own = str(TOOLS / "uv" / "bin" / "uv")
    for candidate in (shutil.which("uv"), own):
        if candidate and works(candidate, "--version"):
            return candidate
    command = [*_pip(), "install", "--quiet", "--no-compile", "--only-binary=:all:"]
    command += ["--require-hashes", "--no-deps", "--requirement", str(UV_LOCK)]
    command += ["--upgrade", "--target", str(TOOLS / "uv")]
    if works(*command) and works(own, "--version"):
        return own
    return None


def _pip() -> list[str]:
    """The command of a pip. For a Python without pip, as Debian's, a pip is installed.

    Raises:
        InstallationError: this Python can neither run pip nor install pip.
    """
    present = _present_pip()
    if present:
        return present
    if not works(sys.executable, "-m", "venv", "--clear", str(TOOLS / "pip")):
        shutil.rmtree(TOOLS / "pip", ignore_errors=True)
        raise InstallationError(
            "Python's venv and pip are needed. "
            "On Debian and Ubuntu, run `apt-get install python3-venv`."
        )
    return _present_pip()


def _present_pip() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    own = python_of(TOOLS / "pip")
    return [own, "-m", "pip"] if works(own, "-m", "pip", "--version") else []


def _run(*command: str) -> str:
    """The output of a command.

    Raises:
        InstallationError: the command fails.
    """
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        reason = last_lines(process.stderr or process.stdout)
        raise InstallationError(f"`{' '.join(command)}` failed.\n{reason}")
    return process.stdout
