"""Calls a function in this process with a sample event: `invoke.py predict events/predict.json`.

The function's folder and layers/shared have to be on PYTHONPATH, as launch.json sets it.
"""

import importlib
import json
import sys
from pathlib import Path


def main() -> None:
    """Print the function's answer."""
    function, path = sys.argv[1:]
    root = Path(__file__).parents[1]
    if not (root / "functions" / function).is_dir():
        sys.exit(f"There is no function {function!r}. List functions with `ls functions`.")
    event = json.loads((root / path).read_bytes())
    app = importlib.import_module("app")
    print(json.dumps(app.handler(event, None), indent=2))


if __name__ == "__main__":
    main()
