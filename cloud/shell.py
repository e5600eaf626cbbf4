"""Runs other programs: sam, docker, git."""

import os
import subprocess


class CloudError(Exception):
    """A command cannot continue. The message says in one line why, and what to do."""


def run(
    *command: str, stdin: str | None = None, variables: dict[str, str] | None = None
) -> None:
    """Run a program that shows its own output.

    Raises:
        CloudError: the program is not installed, or fails.
    """
    process = _run(command, capture=False, stdin=stdin, variables=variables)
    if process.returncode:
        raise _failure(command, "The output above says why.")


def output(*command: str) -> str:
    """What a program prints, without spaces around.

    Raises:
        CloudError: the program is not installed, or fails. The message ends with the
            last line of the program's own message.
    """
    process = _run(command, capture=True)
    if process.returncode:
        lines = process.stderr.strip().splitlines()
        reason = lines[-1] if lines else f"exit status {process.returncode}"
        raise _failure(command, reason)
    return process.stdout.strip()


def _run(
    command: tuple[str, ...],
    *,
    capture: bool,
    stdin: str | None = None,
    variables: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            input=stdin,
            env=os.environ | (variables or {}),
            capture_output=capture,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise CloudError(
            f"The command `{command[0]}` is not on the PATH. Install it."
        ) from error


def _failure(command: tuple[str, ...], reason: str) -> CloudError:
    return CloudError(f"`{' '.join(command[:2])}` failed: {reason}")
