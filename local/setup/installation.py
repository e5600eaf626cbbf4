"""Installs the packages of a lock into an environment.

`python -m local.setup.installation serve .venv/.serve` makes the environment .venv, and
at its end the file .venv/.serve. `make` runs this before any package is installed, also
on Pythons that cannot run the service.
"""

from __future__ import annotations  # for older Pythons

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
# Between two lines of progress. On a terminal each line overwrites the last line.
TERMINAL_SECONDS, LOG_SECONDS = 0.2, 2.0


class Layer(NamedTuple):
    """A lock, `requirements/<name>.txt`.

    Attributes:
        purpose: what the packages are for.
        megabytes: what uv writes for the packages on x86_64, in 10**6 bytes.
        has_project: whether the environment includes this project, with compiled
            modules for a fast start.
    """

    purpose: str
    megabytes: int
    has_project: bool = False


LAYERS = {
    "serve": Layer("what serving needs", 217, has_project=True),
    "dev": Layer("everything, TensorFlow included", 2423, has_project=True),
    "training": Layer("TensorFlow", 1718),
    "bench": Layer("what the benchmark compares with", 1695),
    "checkov": Layer("checkov", 199),
}


def main(name: str, marker: Path) -> int:
    """Install a layer.

    Returns:
        The exit status: 1 if the layer cannot be installed. The reason is on stderr.
    """
    try:
        install(name, marker)
    except InstallationError as error:
        _print(str(error))
        return 1
    return 0


def install(name: str, marker: Path) -> None:
    """Install a layer, and create the marker.

    An environment without a working Python is created again. Packages that an
    interrupted installation left are replaced.

    Args:
        name: the layer's.
        marker: a file in the environment's folder, which says that the layer is there.

    Raises:
        InstallationError: the layer cannot be installed.
    """
    folder = marker.parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder.parent):
        if is_installed(name, marker):
            marker.touch()
            return
        layer = LAYERS[name]
        started = time.monotonic()
        _print(
            f"Installing {layer.purpose} into {folder}: "
            f"{_count(name)} packages, {layer.megabytes:,} MB."
        )
        _install(name, marker)
        _print(f"Installed in {time.monotonic() - started:.0f} s.")


def is_installed(name: str, marker: Path) -> bool:
    """Whether the environment has the packages of the present lock."""
    is_current = marker.exists() and marker.read_text() == _digest(name)
    return is_current and _has_python(marker.parent)


def _install(name: str, marker: Path) -> None:
    folder = marker.parent
    if not _has_python(folder):
        shutil.rmtree(folder, ignore_errors=True)
        installers.create(folder)
    unfinished = folder / ".unfinished"
    was_interrupted = unfinished.exists()
    unfinished.write_text(_digest(name))
    failure = ""
    for installer in installers.for_environment(folder):
        failure = _try(installer, name, reinstall=was_interrupted)
        if not failure:
            if LAYERS[name].has_project:
                _link_project(folder)
            unfinished.replace(marker)
            return
    raise InstallationError(
        f"{failure}\nThe packages cannot be installed. Check that the disk has space, and "
        "that the package index can be reached (behind a proxy, set HTTPS_PROXY). "
        "Then try again."
    )


def _try(installer: Installer, name: str, *, reinstall: bool) -> str:
    """Install a layer with one installer.

    Returns:
        The reason of a failure, or an empty string.
    """
    layer = LAYERS[name]
    arguments = [*installer.locked, *installer.compiling[layer.has_project]]
    if reinstall:
        arguments.append(installer.reinstall)
    arguments += ["--requirement", str(REQUIREMENTS / f"{name}.txt")]
    return _run(installer, arguments, layer.megabytes)


def _link_project(folder: Path) -> None:
    """Put this checkout on the environment's path, and its command into the `bin` folder."""
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "digits.pth").write_text(f"{ROOT}\n{ROOT / 'layers' / 'shared'}\n")
    program = folder / "bin" / "digits"
    python = shlex.quote(str(Path(installers.python_of(folder)).absolute()))
    program.write_text(f'#!/bin/sh\nexec {python} -P -m local.cli "$@"\n')
    program.chmod(0o755)


def _run(installer: Installer, arguments: Sequence[str], megabytes: int) -> str:
    """Run an installer, and print its progress.

    Returns:
        The end of the installer's output after a failure, or an empty string.
    """
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [*installer.command, *arguments],
            env=installer.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _print_progress(process, megabytes)
        finally:
            process.kill()  # Still runs only after an interruption.
            process.wait()
        output.seek(0)
        return installers.last_lines(output.read()) if process.returncode else ""


def _print_progress(process: subprocess.Popen[bytes], megabytes: int) -> None:
    seconds, end = LOG_SECONDS, "\n"
    if sys.stderr.isatty():
        seconds, end = TERMINAL_SECONDS, "\r"
    printed = 0
    while True:
        try:
            process.wait(seconds)
            break
        except subprocess.TimeoutExpired:
            pass
        written = min(_megabytes_written(process.pid), megabytes)
        if written > printed:
            printed = written
            _print(f"  {written:,} of {megabytes:,} MB", end=end)


def _megabytes_written(process_id: int) -> int:
    """The megabytes that a process has written, or 0 on a system without /proc."""
    try:
        with Path(f"/proc/{process_id}/io").open() as counters:
            written = next(line for line in counters if line.startswith("wchar:"))
    except (OSError, StopIteration):
        return 0
    return int(written.split()[1]) // 10**6


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder, which waits for other installations in the folder."""
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
    """The number of packages in a lock, without those for Windows alone."""
    lines = (REQUIREMENTS / f"{name}.txt").read_text().splitlines()
    return sum(line[:1].isalnum() and "win32" not in line for line in lines)


def _print(text: str, end: str = "\n") -> None:
    sys.stderr.write(text + end)
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
