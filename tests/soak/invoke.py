"""One function in a process of its own, which can be killed: `invoke.py FUNCTION <event`, its answer on stdout."""

import json
import os
import sys

from tests.conftest import load_app


def main() -> None:
    event = json.load(sys.stdin)
    # Logs and metrics go to stdout as well.
    answers, sys.stdout = os.fdopen(os.dup(1), "w"), sys.stderr
    answer = load_app(sys.argv[1]).handler(event, None)
    json.dump(answer, answers)
    answers.close()


if __name__ == "__main__":
    main()
