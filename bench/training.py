"""How long a training takes until it reads 99 % of the test digits right: by the lab's recipe, and by ours.

.venv/bin/python -m bench.training [NPZ]
"""

import argparse
import tempfile
import time
from pathlib import Path

import keras

from digits import datasets
from digits.jobs import Parameters
from digits.store import Store
from local.checkout import npz
from training import fit
from training.checkpoint import Checkpoint
from training.evaluate import evaluate, keras_answers
from training.input import Examples, fetch

TARGET = 0.99
# The lab's learning rate is constant, so it may go on until it is there; ours falls to 0 over the epochs asked for.
EPOCHS = {"lab": 20, "lite": 5}


class ReachedError(Exception):
    """The network is good enough."""


class Watch(Checkpoint):
    """Is shown each epoch's network, measures it while its clock stands still, and stops the training in time."""

    def __init__(self, test: Examples) -> None:
        self._test = test
        self._paused = 0.0
        self._started = time.perf_counter()

    def load(self) -> keras.Model | None:
        """Nothing was kept."""
        return None

    def save(self, model: keras.Model) -> None:
        """Measure."""
        now = time.perf_counter()
        answers = keras_answers(model, self._test.images)
        accuracy = evaluate(answers.logits, self._test.labels).accuracy
        print(f"  {now - self._started - self._paused:4.0f} s: {accuracy:.4f}", flush=True)
        if accuracy >= TARGET:
            raise ReachedError
        self._paused += time.perf_counter() - now


def main() -> None:
    """Train each until it is there, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("npz", nargs="?", type=Path, default=npz(), help="data/mnist.npz, or else the starter set")
    path = parser.parse_args().npz
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder).as_uri())
        dataset = datasets.convert(store, "bench", path)
        examples, test = fetch(store, dataset, "train"), fetch(store, dataset, "test")
    for architecture, epochs in EPOCHS.items():
        parameters = Parameters.model_validate({"architecture": architecture, "epochs": epochs})
        print(f"{architecture}, at most {epochs} epochs")
        try:
            fit.train(examples, parameters, checkpoint=Watch(test))
            print(f"  did not reach {TARGET:.0%}")
        except ReachedError:
            pass


if __name__ == "__main__":
    main()
