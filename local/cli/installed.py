"""The `digits` command of an installed package, which has the folders of the checkout."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Run the command line, with the package's folders on the path."""
    sys.path[:0] = [str(ROOT), str(ROOT / "layers" / "shared")]
    from local.cli import app  # noqa: PLC0415  on the new path

    app.main()
