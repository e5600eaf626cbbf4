"""How long a training takes until it reads 99 % of the test digits right: by the lab's recipe, and by ours."""

import tempfile
import time
from contextlib import suppress
from pathlib import Path

import keras

from bench.measure import Figures
from bench.setting import Setting
from digits import datasets
from digits.parameters import Parameters
from digits.store import Store
from local.checkout import npz
from training.evaluation.answers import evaluate, keras_answers
from training.fitting import fit
from training.fitting.checkpoint import Checkpoint
from training.input import Examples, fetch

TARGET = 0.99
# The lab's learning rate is constant, so it may go on until it is there; ours falls to
# 0 over the epochs asked for.
EPOCHS = {"lab": 20, "lite": 5}


class ReachedError(Exception):
    """The network is good enough."""


class Watch(Checkpoint):
    """Is shown each epoch's network, measures it while its clock stands still, and stops the training in time.

    Attributes:
        accuracies: of the test digits, by the seconds of training.
    """

    def __init__(self, test: Examples) -> None:
        self._test = test
        self._paused = 0.0
        self._started = time.perf_counter()
        self.accuracies: dict[float, float] = {}

    def load(self) -> keras.Model | None:
        """Nothing was kept."""
        return None

    def save(self, model: keras.Model) -> None:
        """Measure."""
        now = time.perf_counter()
        answers = keras_answers(model, self._test.images)
        accuracy = evaluate(answers.logits, self._test.labels).accuracy
        self.accuracies[now - self._started - self._paused] = accuracy
        if accuracy >= TARGET:
            raise ReachedError
        self._paused += time.perf_counter() - now


def measure(_: Setting, rounds: int) -> Figures:  # noqa: ARG001  one training each is long enough
    """Train each until it is there, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder).as_uri())
        dataset = datasets.convert(store, "bench", npz())
        examples, test = fetch(store, dataset, "train"), fetch(store, dataset, "test")
    figures: Figures = {}
    for architecture, epochs in EPOCHS.items():
        watch = Watch(test)
        with suppress(ReachedError):
            fit.train(
                examples,
                Parameters(architecture=architecture, epochs=epochs),
                checkpoint=watch,
            )
        figures[f"training-accuracy.{architecture}.share"] = list(
            watch.accuracies.values()
        )
        figures[f"training.{architecture}.s"] = list(watch.accuracies)
    return figures
