"""How fast the training's input is: images/s parsed from TFRecord shards, and served in shuffled batches from memory.

.venv/bin/python -m bench.input [NPZ] [--rounds 9]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from digits import datasets
from digits.store import Store
from local.checkout import npz
from training import input as training_input

BATCH_SIZE = 128
TARGET = 100_000


def main() -> None:
    """Convert an npz to shards, read them again and again, and print the rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "npz", nargs="?", type=Path, default=npz(), help="data/mnist.npz, or the starter set without it"
    )
    parser.add_argument("--rounds", type=int, default=9, help="measurements of each rate")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder).as_uri())
        dataset = datasets.convert(store, "bench", options.npz)
        shards = [Path(folder, key) for key in datasets.shard_keys(store, dataset, "train")]
        examples = training_input.read(shards)
        print(f"{len(examples):,} images in {len(shards)} shards, {options.rounds} rounds, target {TARGET:,} images/s")
        report("parse shards", len(examples), options.rounds, lambda: training_input.read(shards))
        report("split", len(examples), options.rounds, lambda: training_input.hold_out(examples))
        report("shuffled batches", len(examples), options.rounds, lambda: consume(examples))


def consume(examples: training_input.Examples) -> None:
    """Take an epoch's batches, and do nothing with them."""
    for _ in training_input.training_batches(examples, BATCH_SIZE, 0, range(1)):
        pass


def report(name: str, images: int, rounds: int, work: Callable[[], object]) -> None:
    """Time some work on so many images, after one round that does not count, and print its rates."""
    work()
    rates = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        rates.append(images / (time.perf_counter() - started))
    print(f"{name:<17} median {statistics.median(rates):>10,.0f} images/s, {min(rates):,.0f} to {max(rates):,.0f}")


if __name__ == "__main__":
    main()
