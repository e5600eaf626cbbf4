"""Figures of merit, from what a model answered; the formulas are those of the papers named."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from digits.arrays import Floats, Integers, Mask

# The normal distribution's 97.5 % quantile.
_Z = 1.959964
_BINS = 15
# Temperatures that are tried, in their logarithm.
_COLDEST, _HOTTEST = -2.0, 2.0
_PRECISION = 1e-4
_GOLDEN = (5**0.5 - 1) / 2


def log_softmax(logits: Floats) -> Floats:
    """The logarithms of the probabilities, (n, k) float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    normalised: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normalised


def cross_entropy(logits: Floats, labels: Integers) -> float:
    """The mean negative logarithm of the right class' probability, in nats."""
    return float(-log_softmax(logits)[np.arange(len(labels)), labels].mean())


def fit_temperature(logits: Floats, labels: Integers) -> float:
    """What to divide (n, k) logits by for the least cross-entropy.

    Temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", 2017),
    by golden-section search: the loss has one minimum in the temperature's logarithm.
    """
    low, high = _COLDEST, _HOTTEST
    while high - low > _PRECISION:
        span = _GOLDEN * (high - low)
        left, right = high - span, low + span
        if cross_entropy(logits / np.exp(left), labels) < cross_entropy(
            logits / np.exp(right), labels
        ):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share (Wilson, 1927); `trials` at least 1."""
    share, z2 = successes / trials, _Z**2
    middle = share + z2 / (2 * trials)
    half = _Z * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    return (middle - half) / (1 + z2 / trials), (middle + half) / (1 + z2 / trials)


@dataclass(frozen=True)
class Bin:
    """The answers of about the same confidence: how many, how confident on average, and how many of them were right."""

    count: int
    confidence: float
    accuracy: float


def reliability(confidences: Floats, right: Mask) -> list[Bin]:
    """Confidence against accuracy in 15 bins of equal width, those that are not empty (Guo et al., 2017)."""
    numbers = np.minimum((confidences * _BINS).astype(int), _BINS - 1)
    members = [numbers == number for number in np.unique(numbers)]
    return [
        Bin(int(m.sum()), float(confidences[m].mean()), float(right[m].mean()))
        for m in members
    ]


def expected_calibration_error(confidences: Floats, right: Mask) -> float:
    """How far confidence is from accuracy, on average over the answers (Naeini, Cooper and Hauskrecht, 2015)."""
    gaps = [
        b.count * abs(b.accuracy - b.confidence)
        for b in reliability(confidences, right)
    ]
    return math.fsum(gaps) / len(right)


def auroc(positives: Floats, negatives: Floats) -> float:
    """How likely a positive has the higher score of the two; ties count half (Hanley and McNeil, 1982)."""
    ordered = np.sort(negatives)
    below = np.searchsorted(ordered, positives, "left")
    ties = np.searchsorted(ordered, positives, "right") - below
    return float((below + ties / 2).mean() / len(negatives))


def fpr_at_95_tpr(positives: Floats, negatives: Floats) -> float:
    """The share of negatives above the score that 95 % of the positives reach."""
    return float(np.mean(negatives >= np.quantile(positives, 0.05, method="lower")))


def mcnemar(first: Mask, second: Mask) -> float:
    """How likely two models that are equally good differ at least so much on the same examples.

    The exact two-sided p-value (McNemar, 1947), by the examples that only one of them got right.

    Args:
        first: (n,) which examples one model read right.
        second: (n,) which the other did.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    differing = only_first + only_second
    tail: float = (
        sum(math.comb(differing, k) for k in range(min(only_first, only_second) + 1))
        / 2**differing
    )
    return min(1.0, 2 * tail)


def worse(live: npt.NDArray[Any], candidate: npt.NDArray[Any]) -> bool:
    """Whether a candidate's figures for the same n things are lower beyond the 95 % interval of the mean difference."""
    differences = live.astype(np.float64) - candidate
    return bool(
        differences.mean() > _Z * differences.std() / math.sqrt(len(differences))
    )
