"""`make soak`: rounds of random faults and kills, after each of which everything must hold."""

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

# Of the rounds: with trainings that load TensorFlow, which take half a minute; with a
# folder as the store, and no S3.
REAL_SHARE, FOLDER_SHARE = 0.05, 0.15

logger = logging.getLogger("soak")


def main() -> int:
    logging.basicConfig(format="%(message)s", stream=sys.stdout)
    logger.setLevel(logging.INFO)
    logging.getLogger("werkzeug").setLevel(
        logging.WARNING
    )  # moto's, which otherwise tells of every request
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6))
    parser.add_argument(
        "--first", type=int, default=1, help="the number of the first round"
    )
    options = parser.parse_args()
    logger.info(
        "Seed %d. The same rounds again: make soak SEED=%d", options.seed, options.seed
    )
    begun, counts = time.monotonic(), Counter[str]()
    with (
        tempfile.TemporaryDirectory(prefix="digits-soak-") as folder,
        World(Path(folder)) as world,
    ):
        for number in range(options.first, options.first + options.rounds):
            if not play(world, options.seed, number, counts):
                return 1
    for kind, count in sorted(counts.items()):
        logger.info("%7d %s", count, kind)
    minutes = (time.monotonic() - begun) / 60
    logger.info(
        "%d rounds in %.0f minutes, and everything holds.", options.rounds, minutes
    )
    return 0


def play(world: World, seed: int, number: int, counts: Counter[str]) -> bool:
    """Play a round. Whether everything holds after it; if not, it has been said what does not."""
    random, begun, journal = Random(f"{seed} {number}"), time.monotonic(), Journal()  # noqa: S311  It is no secret.
    in_folder, is_real = random.random() < FOLDER_SHARE, random.random() < REAL_SHARE
    store_url = (
        (world.folder / "store").as_uri() if in_folder else f"s3://{BUCKET}/soak"
    )
    kind = f"{'in a folder' if in_folder else 'on S3'}{', real trainings' if is_real else ''}"
    try:
        Round(world, store_url, random, journal, is_real=is_real).play()
    except Exception:
        logger.exception("Round %d (%s):\n%s", number, kind, "\n".join(journal.lines))
        logger.info(
            "Again: make soak SEED=%d. This round alone: make soak SEED=%d FIRST=%d ROUNDS=1",
            seed,
            seed,
            number,
        )
        return False
    journal.count(f"rounds {kind}")
    journal.counts.update(f"faults: {fault.value}" for fault in world.take_faults())
    counts.update(journal.counts)
    logger.info("Round %d (%s): %.0f s", number, kind, time.monotonic() - begun)
    return True


if __name__ == "__main__":
    sys.exit(main())
