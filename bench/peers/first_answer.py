"""A Lambda handler's cold start in a process of its own, and then its warm answers; `bench.handlers` starts it.

python first_answer.py MODULE STARTED WARM EVENT...
"""

import importlib
import json
import re
import sys
import time
from pathlib import Path


class Context:
    """What Lambda tells a function of itself."""

    function_name = "predict"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:predict"
    aws_request_id = "00000000-0000-0000-0000-000000000000"


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
    answer = handler(sent[0], Context)
    answered = time.monotonic()
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    found = {
        "status": answer["statusCode"],
        "prediction": json.loads(answer["body"])["prediction"],
        "first_answer": answered - float(started),
        "import": imported - begun,
        "peak": int(peak[1]) / 1024 if peak else 0,
        "warm": [[], []],
        "timings": [[], []],
    }
    for times, timings, event in zip(found["warm"], found["timings"], sent, strict=False):
        for _ in range(int(warm)):
            start = time.perf_counter()
            answer = handler(event, Context)
            times.append(time.perf_counter() - start)
            timings.append(answer.get("headers", {}).get("Server-Timing", ""))
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
