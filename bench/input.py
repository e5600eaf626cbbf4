"""How fast a training parses shards, and shuffles batches from memory: images per second."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.measure import Figures, timings
from bench.setting import Setting
from digits import datasets
from digits.store import Store
from local.checkout import npz
from training import input as training_input

BATCH_SIZE = 128


def measure(_: Setting, rounds: int) -> Figures:
    """Convert an npz to shards, and read the shards repeatedly."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder).as_uri())
        dataset = datasets.convert(store, "bench", npz())
        keys = datasets.shard_keys(store, dataset, "train")
        shards = [Path(folder, key) for key in keys]
        examples = training_input.read_examples(shards)
        targeted = training_input.TargetedImages(examples.images, examples.labels)
        works: dict[str, Callable[[], object]] = {
            "parse": lambda: training_input.read_examples(shards),
            "split": lambda: training_input.hold_out(examples),
            "batches": lambda: _take_epoch(targeted),
        }
        figures: Figures = {}
        for name, work in works.items():
            _warm_up, *seconds = timings(work, 1 + rounds)
            rates = [len(examples) / each for each in seconds]
            figures[f"input.{name}.images/s"] = rates
    return figures


def _take_epoch(examples: training_input.TargetedImages) -> None:
    """Take an epoch's batches."""
    for _ in training_input.training_batches(examples, BATCH_SIZE, 0, range(1)):
        pass
