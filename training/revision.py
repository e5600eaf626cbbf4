"""The commit of the code that runs."""

import os
import subprocess
from pathlib import Path


def revision() -> str | None:
    """`DIGITS_REVISION`, or the commit that is checked out; None if neither is known."""
    configured = os.environ.get("DIGITS_REVISION")
    if configured:
        return configured
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        completed = subprocess.run(
            command,
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return completed.stdout.strip()
