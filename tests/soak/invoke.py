"""A function in a process that can be killed: `invoke.py FUNCTION <event >answer`."""

import json
import os
import sys

from tests.conftest import load_app


def main() -> None:
    event = json.load(sys.stdin)
    # Logs and metrics go to stdout, too, which is to have nothing but the answer.
    with os.fdopen(os.dup(1), "w") as stdout:
        sys.stdout = sys.stderr
        answer = load_app(sys.argv[1]).handler(event, None)
        json.dump(answer, stdout)


if __name__ == "__main__":
    main()
