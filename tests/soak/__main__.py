"""`make soak`: rounds of random faults and kills. All invariants must hold after each round."""

import argparse
import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random, SystemRandom

from tests.soak.journal import Journal
from tests.soak.round import Round
from tests.soak.world import BUCKET, World

# The share of rounds with trainings that load TensorFlow, which take half a minute.
REAL_SHARE = 0.05
# The share of rounds with a folder as the store, instead of S3.
FOLDER_SHARE = 0.15

logger = logging.getLogger("soak")


def main() -> int:
    logging.basicConfig(format="%(message)s", stream=sys.stdout)
    logger.setLevel(logging.INFO)
    # moto's server otherwise logs every request.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    options = parse_options()
    logger.info("Seed %d. To repeat: make soak SEED=%d", options.seed, options.seed)
    started, counts = time.monotonic(), Counter[str]()
    numbers = range(options.first, options.first + options.rounds)
    with (
        tempfile.TemporaryDirectory(prefix="digits-soak-") as folder,
        World(Path(folder)) as world,
    ):
        for number in numbers:
            if not play(world, options.seed, number, counts):
                return 1
    for kind, count in sorted(counts.items()):
        logger.info("%7d %s", count, kind)
    minutes = (time.monotonic() - started) / 60
    logger.info("%d rounds in %.0f minutes: all holds.", options.rounds, minutes)
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6))
    parser.add_argument(
        "--first", type=int, default=1, help="the number of the first round"
    )
    return parser.parse_args()


def play(world: World, seed: int, number: int, counts: Counter[str]) -> bool:
    """Play a round, log an invariant that does not hold, and return whether all hold."""
    random = Random(f"{seed} {number}")  # noqa: S311  The draws keep no secret.
    in_folder = random.random() < FOLDER_SHARE
    is_real = random.random() < REAL_SHARE
    kind, store_url = "on S3", f"s3://{BUCKET}/soak"
    if in_folder:
        kind, store_url = "in a folder", (world.folder / "store").as_uri()
    if is_real:
        kind += ", real trainings"
    started, journal = time.monotonic(), Journal()
    try:
        Round(world, store_url, random, journal, is_real=is_real).play()
    except Exception:
        logger.exception("Round %d (%s):\n%s", number, kind, "\n".join(journal.lines))
        logger.info("To repeat: make soak SEED=%d", seed)
        logger.info("This round: make soak SEED=%d FIRST=%d ROUNDS=1", seed, number)
        return False
    journal.count(f"rounds {kind}")
    journal.counts.update(f"faults: {fault.value}" for fault in world.take_faults())
    counts.update(journal.counts)
    logger.info("Round %d (%s): %.0f s", number, kind, time.monotonic() - started)
    return True


if __name__ == "__main__":
    sys.exit(main())
