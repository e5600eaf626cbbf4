"""Compare ways to tell digits from other pictures, on one trained network.

Each threshold keeps the share of held-out training digits that a training keeps. The
network's weights are a published model's `model.weights.h5`; the folders hold PNG files
of no digits, as `bench/negatives.py` makes them:

    .venv/bin/python -m bench.rejection WEIGHTS NPZ FOLDER...
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from digits.arrays import Floats, Integers, Pixels
from digits.digit import CLASSES
from training.evaluation import as_sent
from training.input import Examples, hold_out
from training.packaging import weights
from training.packaging.package import KEPT
from training.pictures import negatives, serving

PICTURES = 500
# Of the training digits, for the distances.
KNOWN = 20_000
NEIGHBOURS = 10


@dataclass(frozen=True)
class Seen:
    """What a network gives for n pictures: (n, 11) logits, and (n, channels) features, the last maps' means."""

    logits: Floats
    features: Floats

    @property
    def digits(self) -> Floats:
        """The (n, 10) logits of the digits."""
        return self.logits[:, :CLASSES]


def looker(network: keras.Model) -> Callable[[Pixels], Seen]:
    """Shows (n, 28, 28) images to a network."""
    maps = network.get_layer("flatten").input
    both = keras.Model(
        network.input, [network.output, keras.layers.GlobalAveragePooling2D()(maps)]
    )

    def look(images: Pixels) -> Seen:
        logits, features = both.predict(
            images[..., np.newaxis] / np.float32(255), batch_size=512, verbose=0
        )
        return Seen(logits.astype(np.float64), features.astype(np.float64))

    return look


def log_sum_exp(logits: Floats) -> Floats:
    """Without overflow; (n, k) to (n,)."""
    highest = logits.max(axis=1)
    total: Floats = highest + np.log(
        np.exp(logits - highest[:, np.newaxis]).sum(axis=1)
    )
    return total


def mahalanobis(known: Seen, labels: Integers) -> Callable[[Seen], Floats]:
    """The nearest digit's mean, by the features' common covariance (Lee et al., 2018)."""
    means = np.stack(
        [known.features[labels == digit].mean(axis=0) for digit in range(CLASSES)]
    )
    covariance = np.cov((known.features - means[labels]).T) + 1e-4 * np.eye(
        means.shape[1]
    )
    whiten = np.linalg.inv(np.linalg.cholesky(covariance)).T

    def score(seen: Seen) -> Floats:
        offsets = (seen.features @ whiten)[:, np.newaxis] - means @ whiten
        nearest: Floats = -np.square(offsets).sum(axis=2).min(axis=1)
        return nearest

    return score


def neighbours(known: Seen) -> Callable[[Seen], Floats]:
    """The tenth nearest known digit, by the features' direction (Sun et al., 2022)."""
    bank = _direction(known.features)

    def score(seen: Seen) -> Floats:
        parts = np.array_split(
            _direction(seen.features), max(1, len(seen.features) // 500)
        )
        return np.concatenate(
            [np.sort(part @ bank.T, axis=1)[:, -NEIGHBOURS] for part in parts]
        )

    return score


def _direction(features: Floats) -> Floats:
    direction: Floats = features / np.linalg.norm(features, axis=1, keepdims=True)
    return direction


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
        training, held_out = hold_out(
            Examples(npz["x_train"], npz["y_train"].astype(np.int64))
        )
        test = npz["x_test"]
    look = looker(weights.load(arguments.weights, "lite"))
    known = look(training.images[:KNOWN])
    methods: dict[str, Callable[[Seen], Floats]] = {
        "max softmax (Hendrycks and Gimpel, 2017)": lambda seen: (
            seen.digits.max(axis=1) - log_sum_exp(seen.digits)
        ),
        "max logit (Hendrycks et al., 2022)": lambda seen: seen.digits.max(axis=1),
        "energy (Liu et al., 2020)": lambda seen: log_sum_exp(seen.digits),
        "Mahalanobis distance (Lee et al., 2018)": mahalanobis(
            known, training.labels[:KNOWN]
        ),
        "nearest neighbours (Sun et al., 2022)": neighbours(known),
        "eleventh class (after Hendrycks et al., 2019)": lambda seen: (
            seen.digits.max(axis=1) - seen.logits[:, CLASSES]
        ),
    }
    others = {
        folder.name: [path.read_bytes() for path in folder.glob("*.png")]
        for folder in arguments.folders
    }
    for family in negatives.REPORTED:
        others[family] = list(as_sent.others(family, PICTURES))
    found = {
        name: [it.digit for it in serving.read(pngs) if not it.is_refused]
        for name, pngs in others.items()
    }
    seen = {name: look(np.array(digits)) for name, digits in found.items() if digits}
    validation, tested = look(held_out.images), look(test)
    print("| % rejected | digits kept |", " | ".join(others), "|")
    print("| --- " * (2 + len(others)) + "|")
    for method, score in methods.items():
        threshold = np.quantile(score(validation), 1 - KEPT, method="lower")
        passed = {
            name: int((score(seen[name]) >= threshold).sum()) if name in seen else 0
            for name in others
        }
        shares = [
            f"{100 * (1 - passed[name] / len(pngs)):.1f}"
            for name, pngs in others.items()
        ]
        print(
            f"| {method} | {100 * np.mean(score(tested) >= threshold):.2f} |",
            " | ".join(shares),
            "|",
            flush=True,
        )


if __name__ == "__main__":
    main()
