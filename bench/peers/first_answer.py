"""The cold start and the warm answers of a Lambda handler, as a script for `bench.handlers`.

python first_answer.py MODULE STARTED WARM EVENT...
"""

import importlib
import json
import re
import sys
import time
from pathlib import Path


def main(module: str, started: str, warm: str, *paths: str) -> None:
    """Print the measurements as JSON, in the last line.

    Args:
        module: has the `handler`.
        started: when the process was started, by `time.monotonic`.
        warm: how many warm answers per event.
        paths: JSON files with events. The first event gets the first answer.
    """
    events = [json.loads(Path(path).read_bytes()) for path in paths]
    import_started = time.monotonic()
    handler = importlib.import_module(module).handler
    import_ended = time.monotonic()
    answer = handler(events[0], None)
    answered = time.monotonic()
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    warm_seconds = []
    headers = []
    for event in events:
        seconds = []
        timings = []
        for _ in range(int(warm)):
            start = time.perf_counter()
            answer = handler(event, None)
            seconds.append(time.perf_counter() - start)
            timings.append(answer.get("headers", {}).get("Server-Timing", ""))
        warm_seconds.append(seconds)
        headers.append(timings)
    measured = {
        "status": answer["statusCode"],
        "first_answer": answered - float(started),
        "imported": import_ended - import_started,
        "peak": int(peak[1]) * 1.024e-3 if peak else 0,
        "warm": warm_seconds,
        "timings": headers,
    }
    print("\n" + json.dumps(measured))


if __name__ == "__main__":
    main(*sys.argv[1:])
