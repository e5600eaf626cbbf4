"""The `digits` command of an installed package, which is a folder laid out as the checkout."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Run the command line, with the folder's packages on the path."""
    sys.path[:0] = [str(ROOT), str(ROOT / "layers" / "shared")]
    from local.cli import app  # noqa: PLC0415  found there

    app.main()
