"""A Lambda handler's cold start in a process of its own, and then its warm answers; `bench.handlers` starts it.

python first_answer.py MODULE STARTED WARM EVENT...
"""

import importlib
import json
import re
import sys
import time
from pathlib import Path


def main(module: str, started: str, warm: str, *events: str) -> None:
    """Print what was measured, as JSON, in the last line.

    Args:
        module: has the `handler`.
        started: when the process was, by `time.monotonic`.
        warm: how many warm answers to each event.
        events: JSON files; the first one's answer is the first.
    """
    sent = [json.loads(Path(path).read_bytes()) for path in events]
    begun = time.monotonic()
    handler = importlib.import_module(module).handler
    imported = time.monotonic()
    answer = handler(sent[0], None)
    answered = time.monotonic()
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    found = {
        "status": answer["statusCode"],
        "first_answer": answered - float(started),
        "import": imported - begun,
        "peak": int(peak[1]) * 1.024e-3 if peak else 0,
        "warm": [[], []],
        "timings": [[], []],
    }
    for times, timings, event in zip(
        found["warm"], found["timings"], sent, strict=False
    ):
        for _ in range(int(warm)):
            start = time.perf_counter()
            answer = handler(event, None)
            times.append(time.perf_counter() - start)
            timings.append(answer.get("headers", {}).get("Server-Timing", ""))
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
