"""Time a classifier on many images."""

import json
import sys
from collections.abc import Callable
from timeit import repeat

import numpy as np

from digits.arrays import Pixels

WARM_UP_IMAGES = 1000


def print_seconds(classify: Callable[[Pixels], object]) -> None:
    """Print the seconds of each repetition, as JSON: `SCRIPT IMAGES REPETITIONS`.

    Args:
        classify: takes images of shape (n, 28, 28).
    """
    count, repetitions = map(int, sys.argv[1:])
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, 28, 28), np.uint8)
    classify(images[:WARM_UP_IMAGES])
    print(json.dumps(repeat(lambda: classify(images), number=1, repeat=repetitions)))
