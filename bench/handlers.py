"""Lambda handlers, each in processes of its own: from the start to the first answer, the memory, the warm answers."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.measure import Figures
from bench.setting import PEERS, PEERS_PYTHON, Setting, event

# By name: the interpreter, the module, and variables.
HANDLERS: dict[str, tuple[str | Path, str, dict[str, str]]] = {
    "digits": (sys.executable, "app", {}),
    "floor": (sys.executable, "floor_handler", {}),
    "onnx": (PEERS_PYTHON, "onnx_handler", {}),
    "keras": (PEERS_PYTHON, "keras_handler", {}),
    "predict": (PEERS_PYTHON, "keras_handler", {"CALL": "predict"}),
}
WARM = 60
# What the import is the sum of, but for Python's own library and small packages; and
# what is counted as `app`.
PACKAGES = (
    "numpy",
    "PIL",
    "ai_edge_litert",
    "obstore",
    "aws_lambda_powertools",
    "digits",
    "app",
)
FUNCTION = ("app", "first_look", "page")
DROP = Path("/proc/sys/vm/drop_caches")


def measure(setting: Setting, rounds: int) -> Figures:
    """In turns, one process of each handler a round. The first round fills the page cache, and does not count."""
    events = [setting.folder / "small.json", setting.folder / "large.json"]
    for path, png in zip(events, (setting.small, setting.large), strict=True):
        path.write_text(json.dumps(event(png)))
    figures: Figures = {}
    for turn in range(rounds + 1):
        for name in HANDLERS:
            found = _run(name, setting, events, WARM)
            if turn:
                _note(figures, name, found)
    if os.access(DROP, os.W_OK):
        for _ in range(max(3, rounds // 3)):
            for name in HANDLERS:
                os.sync()
                DROP.write_text("3")
                found = _run(name, setting, events[:1], 0)
                figures.setdefault(f"cold-dropped.{name}.s", []).append(
                    found["first_answer"]
                )
    for _ in range(rounds):
        for package, seconds in _imports(setting).items():
            figures.setdefault(f"import-part.{package}.ms", []).append(1e3 * seconds)
    return figures


def _imports(setting: Setting) -> dict[str, float]:
    """Seconds that each package's own modules take to import, by `python -X importtime`, which slows all of them."""
    command = [sys.executable, "-X", "importtime", "-c", "import app"]
    run = subprocess.run(
        command,
        env=setting.environment(),
        cwd=setting.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    spent = dict.fromkeys((*PACKAGES, "other"), 0.0)
    for own, module in re.findall(
        r"^import time:\s+(\d+) \|\s+\d+ \|\s+([\w.]+)$", run.stderr, flags=re.MULTILINE
    ):
        package = "app" if module in FUNCTION else module.partition(".")[0]
        spent[package if package in PACKAGES else "other"] += int(own) / 1e6
    return spent


def _run(name: str, setting: Setting, events: list[Path], warm: int) -> Any:
    python, module, variables = HANDLERS[name]
    command = [
        python,
        PEERS / "first_answer.py",
        module,
        repr(time.monotonic()),
        warm,
        *events,
    ]
    run = subprocess.run(
        [str(part) for part in command],
        env=setting.environment(**variables),
        cwd=setting.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise SystemExit(f"{name}: {run.stderr}")
    found = json.loads(run.stdout.splitlines()[-1])
    if found["status"] != 200:  # noqa: PLR2004
        raise SystemExit(f"{name} answered {found['status']}")
    return found


def _note(figures: Figures, name: str, found: Any) -> None:
    once = {
        "cold.s": found["first_answer"],
        "import.s": found["import"],
        "memory.MB": found["peak"],
    }
    for what, value in once.items():
        section, _, unit = what.partition(".")
        figures.setdefault(f"{section}.{name}.{unit}", []).append(value)
    for size, times, timings in zip(
        ("28", "1000"), found["warm"], found["timings"], strict=True
    ):
        figures.setdefault(f"warm-{size}.{name}.ms", []).extend(
            1e3 * value for value in times
        )
        for timing in timings:
            for part, value in re.findall(r"(\w+);dur=([\d.]+)", timing):
                figures.setdefault(f"{part}-{size}.{name}.ms", []).append(float(value))
