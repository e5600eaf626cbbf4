"""Runs other programs: sam, docker, git."""

import os
import subprocess


class CloudError(Exception):
    """Why a command cannot go on, and what to do about it, in one line."""


def run(
    *command: str, stdin: str | None = None, variables: dict[str, str] | None = None
) -> None:
    """Run a program that shows its own output."""
    _run(command, capture=False, stdin=stdin, variables=variables)


def output(*command: str) -> str:
    """What a program prints, stripped. What it says of an error is in the CloudError."""
    return _run(command, capture=True).stdout.strip()


def _run(
    command: tuple[str, ...],
    *,
    capture: bool,
    stdin: str | None = None,
    variables: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(
            command,
            input=stdin,
            env=os.environ | (variables or {}),
            capture_output=capture,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise CloudError(
            f"There is no command '{command[0]}' on the PATH: install it."
        ) from error
    if done.returncode:
        said = done.stderr.strip().splitlines() if capture else ["it says why above."]
        raise CloudError(
            f"`{' '.join(command[:2])}` failed: {said[-1] if said else f'exit status {done.returncode}'}"
        )
    return done
