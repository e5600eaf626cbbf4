"""Many images in one process, on one core: by the function's classifier, and in batches by Keras."""

import json
import os
import subprocess
import sys

from bench.measure import Figures
from bench.setting import PEERS_PYTHON, Setting
from local.checkout import ROOT

IMAGES = 20_000

_RATE = """
import json, sys, time
import numpy as np
images = np.random.default_rng(0).integers(0, 256, (int(sys.argv[1]), 28, 28), np.uint8)
{before}
work(images[:1000])
rates = []
for _ in range(int(sys.argv[2])):
    started = time.perf_counter()
    work(images)
    rates.append(len(images) / (time.perf_counter() - started))
print(json.dumps(rates))
"""
_DIGITS = """
import os
from pathlib import Path
from digits.models.live import load_folder
classifier = load_folder(Path(os.environ["LITERT_MODEL"]).parent)
def work(images):
    for image in images:
        classifier.classify(image)
"""
_KERAS = """
import os
import keras
model = keras.models.load_model(os.environ["MODEL"] + ".keras")
def work(images):
    model.predict(images[..., np.newaxis] / np.float32(255), batch_size=512, verbose=0)
"""


def measure(setting: Setting, rounds: int) -> Figures:
    """Images a second, a core."""
    peers = {"digits": (sys.executable, _DIGITS), "keras": (PEERS_PYTHON, _KERAS)}
    figures: Figures = {}
    for name, (python, before) in peers.items():
        run = subprocess.run(
            [str(python), "-c", _RATE.format(before=before), str(IMAGES), str(rounds)],
            env=setting.environment(),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
        )
        figures[f"bulk.{name}.images/s"] = json.loads(run.stdout.splitlines()[-1])
    return figures
