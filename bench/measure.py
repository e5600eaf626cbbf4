"""What was measured, as raw figures by their names, and the machine and versions that they are of."""

import json
import math
import os
import platform
import re
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

# By `section.subject.unit`, such as `cold.digits.s`. A unit with `/s` in it is a rate:
# the more, the better.
Figures = dict[str, list[float]]

_PACKAGES = (
    "ai-edge-litert",
    "aws-lambda-powertools",
    "keras",
    "numpy",
    "obstore",
    "pillow",
    "tensorflow-cpu",
)


class SkippedError(Exception):
    """Something is missing here that a section needs, and how to get it."""


def timed(work: Callable[[], object]) -> float:
    """How many seconds it takes, once."""
    started = perf_counter()
    work()
    return perf_counter() - started


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that a share of them, or more, do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def reference() -> list[float]:
    """Milliseconds of a fixed piece of work: products of matrices, and JSON written and read in Python.

    What takes longer because the machine is busier or slower makes this longer, too, so
    that figures of several runs are compared by what they are times this.
    """
    import numpy as np

    matrix = np.random.default_rng(0).random((128, 128))
    document = {"values": matrix[:8].tolist()}

    def work() -> None:
        product = matrix
        for _ in range(10):
            product = matrix @ product / 64
        for _ in range(5):
            json.loads(json.dumps(document))

    for _ in range(20):
        work()
    return [1e3 * timed(work) for _ in range(200)]


def machine() -> dict[str, Any]:
    """What the figures are of."""
    lines = (
        Path("/proc/cpuinfo").read_text().splitlines()
        if Path("/proc/cpuinfo").exists()
        else []
    )
    names = [
        line.partition(":")[2].strip()
        for line in lines
        if line.startswith("model name")
    ]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.freedesktop_os_release().get(
            "PRETTY_NAME", platform.system()
        ),
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES if _is_there(name)},
    }


def _is_there(name: str) -> bool:
    try:
        version(name)
    except ModuleNotFoundError:
        return False
    return True


def spread(values: Sequence[float]) -> float:
    """Half of the width in which the middle half of the values lies, as a share of their median."""
    return (
        (quantile(values, 0.75) - quantile(values, 0.25))
        / 2
        / statistics.median(values)
    )


def to_json(measured: dict[str, Any]) -> str:
    """The file of figures, a line for each figure's values."""
    rounded = json.loads(
        json.dumps(measured), parse_float=lambda text: float(f"{float(text):.4g}")
    )
    text = json.dumps(rounded, indent=1)
    return (
        re.sub(r"\[[^][{}]*\]", lambda found: re.sub(r"\s+", " ", found[0]), text)
        + "\n"
    )
