"""Lambda handlers in processes of their own: first answer, memory, warm answers."""

import json
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from bench.measure import Figures
from bench.setting import PEERS, PEERS_PYTHON, Setting, event


@dataclass(frozen=True)
class Handler:
    """A module with a `handler`.

    Attributes:
        python: the interpreter whose packages the module needs.
        module: its name.
        variables: of the environment, besides those that all handlers get.
    """

    python: str | Path
    module: str
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """What `bench/peers/first_answer.py` prints of one process.

    Attributes:
        status: of the last answer.
        first_answer: seconds from the process's start to the first answer.
        imported: seconds of the handler's import.
        peak: the largest resident size, in megabytes.
        warm: seconds of each warm answer, per event.
        timings: the Server-Timing header of each warm answer, per event.
    """

    status: int
    first_answer: float
    imported: float
    peak: float
    warm: list[list[float]]
    timings: list[list[str]]


HANDLERS = {
    "digits": Handler(sys.executable, "app"),
    "floor": Handler(sys.executable, "floor_handler"),
    "onnx": Handler(PEERS_PYTHON, "onnx_handler"),
    "keras": Handler(PEERS_PYTHON, "keras_handler"),
    "predict": Handler(PEERS_PYTHON, "keras_handler", {"CALL": "predict"}),
}
WARM_ANSWERS = 60
# The packages of the import table. Python's own library and small packages are `other`.
PACKAGES = (
    "numpy",
    "PIL",
    "ai_edge_litert",
    "obstore",
    "aws_lambda_powertools",
    "digits",
    "app",
)
# The function's own modules, which the table counts as `app`.
FUNCTION = ("app", "first_look", "page")
DROP_CACHES = Path("/proc/sys/vm/drop_caches")
IMPORT_TIME = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s+([\w.]+)$", re.MULTILINE)


def measure(setting: Setting, rounds: int) -> Figures:
    """Start a process of each handler in turns. The first round does not count."""
    events = _write_events(setting)
    figures: Figures = defaultdict(list)
    for turn in range(rounds + 1):
        for name in HANDLERS:
            run = _run(name, setting, events, WARM_ANSWERS)
            if turn:
                _add(figures, name, run)
    if os.access(DROP_CACHES, os.W_OK):
        for _ in range(max(3, rounds // 3)):
            for name in HANDLERS:
                os.sync()
                DROP_CACHES.write_text("3")
                run = _run(name, setting, events[:1], 0)
                figures[f"cold-dropped.{name}.s"].append(run.first_answer)
    for _ in range(rounds):
        for package, milliseconds in _import_times(setting).items():
            figures[f"import-part.{package}.ms"].append(milliseconds)
    return figures


def _write_events(setting: Setting) -> list[Path]:
    events = []
    for png in (setting.small, setting.large):
        path = png.with_suffix(".json")
        path.write_text(json.dumps(event(png)))
        events.append(path)
    return events


def _run(name: str, setting: Setting, events: list[Path], warm: int) -> Run:
    handler = HANDLERS[name]
    script = PEERS / "first_answer.py"
    started = repr(time.monotonic())
    command = [handler.python, script, handler.module, started, str(warm), *events]
    process = subprocess.run(
        command,
        env=setting.environment(**handler.variables),
        cwd=setting.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise SystemExit(f"{name}: {process.stderr}")
    run = Run(**json.loads(process.stdout.splitlines()[-1]))
    if run.status != HTTPStatus.OK:
        raise SystemExit(f"{name} answered with status {run.status}.")
    return run


def _add(figures: Figures, name: str, run: Run) -> None:
    figures[f"cold.{name}.s"].append(run.first_answer)
    figures[f"import.{name}.s"].append(run.imported)
    figures[f"memory.{name}.MB"].append(run.peak)
    for size, answers in zip(("28", "1000"), run.warm, strict=True):
        figures[f"warm-{size}.{name}.ms"] += [1e3 * seconds for seconds in answers]
    for size, headers in zip(("28", "1000"), run.timings, strict=True):
        for part, milliseconds in re.findall(r"(\w+);dur=([\d.]+)", " ".join(headers)):
            figures[f"{part}-{size}.{name}.ms"].append(float(milliseconds))


def _import_times(setting: Setting) -> dict[str, float]:
    """Milliseconds that each package's own modules take to import.

    `python -X importtime` measures them, and slows all of them.
    """
    process = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import app"],
        env=setting.environment(),
        cwd=setting.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    times = dict.fromkeys((*PACKAGES, "other"), 0.0)
    for microseconds, module in IMPORT_TIME.findall(process.stderr):
        package = "app" if module in FUNCTION else module.partition(".")[0]
        name = package if package in PACKAGES else "other"
        times[name] += int(microseconds) / 1e3
    return times
