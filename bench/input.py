"""How fast a training reads: images/s parsed from TFRecord shards, and served in shuffled batches from memory."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.measure import Figures, timed
from bench.setting import Setting
from digits import datasets
from digits.store import Store
from local.checkout import npz
from training import input as training_input

BATCH_SIZE = 128


def measure(_: Setting, rounds: int) -> Figures:
    """Convert an npz to shards, and read them again and again."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder).as_uri())
        dataset = datasets.convert(store, "bench", npz())
        shards = [
            Path(folder, key) for key in datasets.shard_keys(store, dataset, "train")
        ]
        examples = training_input.read(shards)
        works: dict[str, Callable[[], object]] = {
            "parse": lambda: training_input.read(shards),
            "split": lambda: training_input.hold_out(examples),
            "batches": lambda: consume(examples),
        }
        figures: Figures = {}
        for name, work in works.items():
            work()
            figures[f"input.{name}.images/s"] = [
                len(examples) / timed(work) for _ in range(rounds)
            ]
    return figures


def consume(examples: training_input.Examples) -> None:
    """Take an epoch's batches, and do nothing with them."""
    for _ in training_input.training_batches(examples, BATCH_SIZE, 0, range(1)):
        pass
