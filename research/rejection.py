"""Compare ways to tell digits from non-digits, on one trained network.

Each way has the threshold that keeps the share of held-out training digits that a
training keeps. The weights are a published model's `model.weights.h5`. The folders hold
PNG files of non-digits, as `research/non_digits.py` makes them:

    .venv/bin/python -m research.rejection WEIGHTS NPZ FOLDER...
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from scipy.special import log_softmax, logsumexp
from sklearn.covariance import EmpiricalCovariance
from sklearn.neighbors import NearestNeighbors
from tabulate import tabulate

from digits.arrays import Floats, Integers, Pixels
from digits.digit import CLASSES
from training.input import Examples, hold_out
from training.packaging import weights
from training.packaging.package import KEPT
from training.pictures import non_digits, serving
from training.pictures.serving import Preprocessed

# Non-digits per family, drawn in addition to the folders.
PICTURES_PER_FAMILY = 500
# Training digits that the distances are measured from.
REFERENCE_DIGITS = 20_000
NEIGHBOURS = 10
_BATCH = 512


@dataclass(frozen=True)
class Outputs:
    """What a network makes of n images.

    Attributes:
        logits: (n, 11), the last of them for non-digits.
        features: (n, channels), the means of the last maps.
    """

    logits: Floats
    features: Floats

    @property
    def digit_logits(self) -> Floats:
        """(n, 10)."""
        return self.logits[:, :CLASSES]


# Gives each of n images a score, (n,): the higher, the more like a digit.
Score = Callable[[Outputs], Floats]
Network = Callable[[Pixels], Outputs]


@dataclass(frozen=True)
class Reference:
    """Outputs for training digits, and their (n,) labels."""

    outputs: Outputs
    labels: Integers


@dataclass(frozen=True)
class NonDigitSet:
    """A set of non-digits: how many serving refuses, and the outputs for the others."""

    refused: int
    outputs: Outputs | None

    def rejected_percent(self, score: Score, threshold: float) -> float:
        """The share that serving refuses or the threshold rejects, in percent."""
        if self.outputs is None:
            return 100.0
        scores = score(self.outputs)
        rejected = self.refused + np.sum(scores < threshold)
        return float(100 * rejected / (self.refused + len(scores)))


@dataclass(frozen=True)
class Comparison:
    """What the ways are compared on: held-out digits, test digits and non-digits."""

    held_out: Outputs
    test: Outputs
    non_digits: Mapping[str, NonDigitSet]

    def to_row(self, name: str, score: Score) -> list[str]:
        """A way's row: the share of test digits kept and of each set rejected."""
        threshold = float(np.quantile(score(self.held_out), 1 - KEPT, method="lower"))
        kept = 100 * np.mean(score(self.test) >= threshold)
        rejected = [
            non_digit_set.rejected_percent(score, threshold)
            for non_digit_set in self.non_digits.values()
        ]
        return [name, f"{kept:.2f}", *(f"{percent:.1f}" for percent in rejected)]


def expose_features(network: keras.Model) -> Network:
    """Make a function that gives (n, 28, 28) images' logits and features."""
    maps = network.get_layer("flatten").input
    features = keras.layers.GlobalAveragePooling2D()(maps)
    model = keras.Model(network.input, [network.output, features])

    def run(images: Pixels) -> Outputs:
        scaled = images[..., np.newaxis] / np.float32(255)
        logits, features = model.predict(scaled, batch_size=_BATCH, verbose=0)
        return Outputs(logits.astype(np.float64), features.astype(np.float64))

    return run


def max_softmax(outputs: Outputs) -> Floats:
    """The logarithm of the largest probability."""
    highest: Floats = log_softmax(outputs.digit_logits, axis=1).max(axis=1)
    return highest


def max_logit(outputs: Outputs) -> Floats:
    """The largest logit of a digit."""
    highest: Floats = outputs.digit_logits.max(axis=1)
    return highest


def energy(outputs: Outputs) -> Floats:
    """The negative free energy."""
    negative_energy: Floats = logsumexp(outputs.digit_logits, axis=1)
    return negative_energy


def eleventh_class(outputs: Outputs) -> Floats:
    """How far the largest logit of a digit is above the logit for non-digits."""
    margin: Floats = max_logit(outputs) - outputs.logits[:, CLASSES]
    return margin


def mahalanobis(reference: Reference) -> Score:
    """The distance to the nearest class mean, by the covariance common to all classes."""
    features, labels = reference.outputs.features, reference.labels
    means = [features[labels == digit].mean(axis=0) for digit in range(CLASSES)]
    residuals = features - np.array(means)[labels]
    covariance = EmpiricalCovariance(assume_centered=True).fit(residuals)

    def score(outputs: Outputs) -> Floats:
        distances = [covariance.mahalanobis(outputs.features - mean) for mean in means]
        nearest: Floats = -np.min(distances, axis=0)
        return nearest

    return score


def nearest_neighbours(reference: Reference) -> Score:
    """The distance to the tenth nearest training digit, by the features' direction."""
    neighbours = NearestNeighbors(n_neighbors=NEIGHBOURS, metric="cosine")
    neighbours.fit(reference.outputs.features)

    def score(outputs: Outputs) -> Floats:
        distances, _ = neighbours.kneighbors(outputs.features)
        farthest: Floats = -distances[:, -1]
        return farthest

    return score


def list_ways(reference: Reference) -> dict[str, Score]:
    """All ways to compare, by name and source."""
    return {
        "max softmax (Hendrycks and Gimpel, 2017)": max_softmax,
        "max logit (Hendrycks et al., 2022)": max_logit,
        "energy (Liu et al., 2020)": energy,
        "Mahalanobis distance (Lee et al., 2018)": mahalanobis(reference),
        "nearest neighbours (Sun et al., 2022)": nearest_neighbours(reference),
        "eleventh class (after Hendrycks et al., 2019)": eleventh_class,
    }


def read_non_digits(folders: list[Path]) -> dict[str, list[Preprocessed]]:
    """Read the folders' pictures and draw the reported families, as serving sees them."""
    sets = {}
    for folder in folders:
        pngs = [path.read_bytes() for path in sorted(folder.glob("*.png"))]
        sets[folder.name] = [serving.preprocess_png(png) for png in pngs]
    for family in non_digits.REPORTED:
        pictures = non_digits.draw_reported(family, PICTURES_PER_FAMILY, seed=0)
        sets[family] = [serving.preprocess(picture) for picture in pictures]
    return sets


def show_non_digits(network: Network, pictures: list[Preprocessed]) -> NonDigitSet:
    """Show a network the non-digits that serving does not refuse."""
    digits = [picture.digit for picture in pictures if not picture.is_refused]
    outputs = network(np.array(digits)) if digits else None
    return NonDigitSet(len(pictures) - len(digits), outputs)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path)
    parser.add_argument("npz", type=Path)
    parser.add_argument("folders", type=Path, nargs="*")
    arguments = parser.parse_args()
    with np.load(arguments.npz) as npz:
        examples = Examples(npz["x_train"], npz["y_train"].astype(np.int64))
        test = npz["x_test"]
    training, held_out = hold_out(examples)
    network = expose_features(weights.load(arguments.weights, "lite"))
    reference = Reference(
        network(training.images[:REFERENCE_DIGITS]), training.labels[:REFERENCE_DIGITS]
    )
    sets = {}
    for name, pictures in read_non_digits(arguments.folders).items():
        sets[name] = show_non_digits(network, pictures)
    comparison = Comparison(network(held_out.images), network(test), sets)
    rows = []
    for name, score in list_ways(reference).items():
        rows.append(comparison.to_row(name, score))
    heads = ["% rejected", "digits kept", *sets]
    print(tabulate(rows, heads, "github", disable_numparse=True, stralign=None))


if __name__ == "__main__":
    main()
