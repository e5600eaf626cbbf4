"""Installs the packages of a lock into an environment.

`make` runs this before anything is installed, and on Pythons that the service does not
run on: `python -m local.setup.installation serve .venv/.serve` makes the environment
.venv, and the file when it is done.
"""

from __future__ import annotations  # Runs on older Pythons too.

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from local.setup import installers
from local.setup.installers import InstallationError, Installer

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements"
# A line that is overwritten, or a line each time.
TERMINAL_SECONDS, LOG_SECONDS = 0.2, 2.0


class Layer(NamedTuple):
    """What a lock is for.

    Attributes:
        purpose: in words.
        megabytes: what uv writes of it on x86_64 (10**6 bytes).
        has_project: whether this project itself belongs into the environment, and is to
            start fast there.
    """

    purpose: str
    megabytes: int
    has_project: bool = False


LAYERS = {
    "serve": Layer("what serving needs", 217, has_project=True),
    "dev": Layer("everything, TensorFlow included", 2241, has_project=True),
    "training": Layer("TensorFlow", 1573),
    "bench": Layer("what the benchmark compares with", 1695),
    "checkov": Layer("checkov", 199),
}


def main(name: str, marker: Path) -> int:
    """Install a layer, as `install` does.

    Returns:
        The exit status: 1 when it cannot be installed, which stderr says.
    """
    try:
        install(name, marker)
    except InstallationError as error:
        _tell(str(error))
        return 1
    return 0


def install(name: str, marker: Path) -> None:
    """Install a layer into the environment that is the folder of `marker`, and make the marker.

    An environment whose Python is gone is made again. What an interrupted installation
    has left is replaced.

    Raises:
        InstallationError: it cannot be installed.
    """
    folder = marker.parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder.parent):
        if is_installed(name, marker):
            marker.touch()
            return
        layer = LAYERS[name]
        started = time.monotonic()
        _tell(
            f"Installing {layer.purpose} into {folder}: {_count(name)} packages, {layer.megabytes:,} MB."
        )
        _install(name, marker)
        _tell(f"Installed in {time.monotonic() - started:.0f} s.")


def is_installed(name: str, marker: Path) -> bool:
    """Whether the environment has what the lock lists now."""
    return (
        marker.exists()
        and marker.read_text() == _digest(name)
        and _has_python(marker.parent)
    )


def _install(name: str, marker: Path) -> None:
    folder = marker.parent
    if not _has_python(folder):
        shutil.rmtree(folder, ignore_errors=True)
        installers.create(folder)
    unfinished = folder / ".unfinished"
    was_interrupted = unfinished.exists()
    unfinished.write_text(_digest(name))
    output = ""
    for installer in installers.for_environment(folder):
        output = _try(installer, name, reinstall=was_interrupted)
        if not output:
            if LAYERS[name].has_project:
                _link_project(folder)
            unfinished.replace(marker)
            return
    raise InstallationError(
        f"{output}\nThe packages cannot be installed. See that there is space on the disk, and that the package "
        "index can be reached (behind a proxy: HTTPS_PROXY). Then try again."
    )


def _try(installer: Installer, name: str, *, reinstall: bool) -> str:
    """Install a layer.

    Returns:
        Why that failed, or nothing.
    """
    layer = LAYERS[name]
    options = installer.compiling[layer.has_project] + [installer.reinstall] * reinstall
    lock = ["--requirement", str(REQUIREMENTS / f"{name}.txt")]
    return _watch(installer, [*installer.locked, *options, *lock], layer.megabytes)


def _link_project(folder: Path) -> None:
    """Put this checkout on the environment's path, and its command among the environment's programs."""
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "digits.pth").write_text(f"{ROOT}\n{ROOT / 'layers' / 'shared'}\n")
    program = folder / "bin" / "digits"
    python = shlex.quote(str(Path(installers.python_of(folder)).absolute()))
    program.write_text(f'#!/bin/sh\nexec {python} -P -m local.cli "$@"\n')
    program.chmod(0o755)


def _watch(installer: Installer, arguments: Sequence[str], megabytes: int) -> str:
    """Run an installer, and tell how far it is.

    Returns:
        The end of its output if it fails, or nothing.
    """
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [*installer.command, *arguments],
            env=installer.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _tell_progress(process, megabytes)
        finally:
            process.kill()  # Only what was interrupted still runs.
            process.wait()
        output.seek(0)
        return installers.last_lines(output.read()) if process.returncode else ""


def _tell_progress(process: subprocess.Popen[bytes], megabytes: int) -> None:
    on_terminal = sys.stderr.isatty()
    told = 0
    while True:
        try:
            process.wait(TERMINAL_SECONDS if on_terminal else LOG_SECONDS)
            break
        except subprocess.TimeoutExpired:
            pass
        written = min(_megabytes_written(process.pid), megabytes)
        if written > told:
            told = written
            _tell(
                f"  {written:,} of {megabytes:,} MB", end="\r" if on_terminal else "\n"
            )


def _megabytes_written(process_id: int) -> int:
    """What a process has written, or 0 where the system does not tell."""
    try:
        with Path(f"/proc/{process_id}/io").open() as counters:
            written = next(line for line in counters if line.startswith("wchar:"))
    except (OSError, StopIteration):
        return 0
    return int(written.split()[1]) // 10**6


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other installation is at work in this folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _has_python(folder: Path) -> bool:
    return installers.works(installers.python_of(folder), "-c", "")


def _digest(name: str) -> str:
    return hashlib.sha256((REQUIREMENTS / f"{name}.txt").read_bytes()).hexdigest()


def _count(name: str) -> int:
    """The packages of a lock, without what is for Windows only."""
    lines = (REQUIREMENTS / f"{name}.txt").read_text().splitlines()
    return sum(line[:1].isalnum() and "win32" not in line for line in lines)


def _tell(text: str, end: str = "\n") -> None:
    sys.stderr.write(text + end)
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
