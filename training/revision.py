"""The commit of the code that runs."""

import os
import subprocess
from pathlib import Path


def revision() -> str | None:
    """`DIGITS_REVISION`, or the commit that is checked out; None where neither is known."""
    given = os.environ.get("DIGITS_REVISION")
    if given:
        return given
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        asked = subprocess.run(
            command,
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return asked.stdout.strip()
