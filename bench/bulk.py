"""Many images in one process, on one core: the function's classifier, and Keras in batches."""

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.measure import Figures
from bench.setting import PEERS, PEERS_PYTHON, Setting
from local.checkout import ROOT

IMAGES = 20_000
SCRIPTS: dict[str, list[str | Path]] = {
    "digits": [sys.executable, PEERS / "bulk_digits.py"],
    "keras": [PEERS_PYTHON, PEERS / "bulk_keras.py"],
}


def measure(setting: Setting, rounds: int) -> Figures:
    """Images per second on one core."""
    core = min(os.sched_getaffinity(0))
    figures: Figures = {}
    for name, script in SCRIPTS.items():
        run = subprocess.run(
            ["taskset", "--cpu-list", str(core), *script, str(IMAGES), str(rounds)],  # noqa: S607
            env=setting.environment(),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
        )
        seconds = json.loads(run.stdout.splitlines()[-1])
        figures[f"bulk.{name}.images/s"] = [IMAGES / each for each in seconds]
    return figures
