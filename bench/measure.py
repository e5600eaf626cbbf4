"""The figures that a section measures, and the machine and the versions that they hold for."""

import json
import os
import platform
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from timeit import repeat
from typing import Any

# Raw values by `section.subject.unit`, such as `cold.digits.s`. Of a unit that ends in
# `/s`, more is better.
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
_REFERENCE_WARM_UPS = 20
_REFERENCE_REPEATS = 200


class SkippedError(Exception):
    """A section needs something that this machine lacks. The message says how to get it."""


@dataclass(frozen=True)
class Measured:
    """A section's figures.

    Attributes:
        machine: date, processor, cores, operating system and versions, by name.
        reference: milliseconds of a fixed piece of work, repeated after the section.
        figures: raw values, by name.
    """

    machine: dict[str, Any]
    reference: list[float]
    figures: Figures


def timings(work: Callable[[], object], times: int) -> list[float]:
    """Seconds of each of several calls."""
    return repeat(work, number=1, repeat=times)


def reference() -> list[float]:
    """Milliseconds of a fixed piece of work: matrix products, and JSON written and parsed.

    A slower or busier machine makes this work slower, too. So figures of two runs are
    compared after both are divided by the reference of their run.
    """
    # A figure of the page cache must not find NumPy loaded by this process.
    import numpy as np

    matrix = np.random.default_rng(0).random((128, 128))
    document = {"values": matrix[:8].tolist()}

    def work() -> None:
        product = matrix
        for _ in range(10):
            product = matrix @ product / 64
        for _ in range(5):
            json.loads(json.dumps(document))

    timings(work, _REFERENCE_WARM_UPS)
    return [1e3 * seconds for seconds in timings(work, _REFERENCE_REPEATS)]


def machine() -> dict[str, Any]:
    """Date, processor, cores, operating system, and the versions of Python and packages."""
    release = platform.freedesktop_os_release()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": release.get("PRETTY_NAME", platform.system()),
        "python": platform.python_version(),
        **_versions(),
    }


def _processor() -> str:
    """The processor's name, which Linux on ARM does not tell."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        # tensorflow-cpu has no wheel for ARM.
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def load_measured(file: Path) -> dict[str, Measured]:
    """The sections that a file of figures holds, by name."""
    sections = json.loads(file.read_bytes())
    return {name: Measured(**section) for name, section in sections.items()}


def save_measured(file: Path, measured: dict[str, Measured]) -> None:
    """Write a file of figures: four significant digits, a line per figure."""
    sections = {name: vars(section) for name, section in measured.items()}
    rounded = json.loads(json.dumps(sections), parse_float=_round)
    text = json.dumps(rounded, indent=1)
    text = re.sub(r"\[[^][{}]*\]", _join_lines, text)
    file.write_text(f"{text}\n")


def _round(text: str) -> float:
    return float(f"{float(text):.4g}")


def _join_lines(match: re.Match[str]) -> str:
    return re.sub(r"\s+", " ", match[0])
