"""Metrics of predictions, by the formulas of the papers that are named."""

import numpy as np

# Without its parts: SciPy loads each part when it is first used, and a training begins sooner.
import scipy

from digits.arrays import Floats, Integers, Mask
from training.evaluation.figures import Bin, Share

_BINS = 15
# Temperatures from 1/7 to 7. Trained networks are well within.
_LOG_TEMPERATURES = (-2.0, 2.0)


def cross_entropy(logits: Floats, labels: Integers) -> float:
    """The mean negative logarithm of the probability of the right class, in nats."""
    logarithms = scipy.special.log_softmax(logits.astype(np.float64), axis=1)
    return float(-logarithms[np.arange(len(labels)), labels].mean())


def fit_temperature(logits: Floats, labels: Integers) -> float:
    """The temperature, a divisor of the (n, k) logits, with the least cross-entropy.

    Guo et al., "On Calibration of Modern Neural Networks", 2017. The loss has one
    minimum in the temperature's logarithm.
    """

    def loss(log_temperature: float) -> float:
        return cross_entropy(logits / np.exp(log_temperature), labels)

    fitted = scipy.optimize.minimize_scalar(
        loss, bounds=_LOG_TEMPERATURES, method="bounded"
    )
    return float(np.exp(fitted.x))


def true_share(mask: Mask) -> Share:
    """The share of true elements, with the interval of Wilson, 1927; n at least 1."""
    successes, trials = np.count_nonzero(mask), len(mask)
    test = scipy.stats.binomtest(successes, trials)
    interval = test.proportion_ci(confidence_level=0.95, method="wilson")
    return Share(
        share=successes / trials,
        low=float(interval.low),
        high=float(interval.high),
        of=trials,
    )


def reliability(confidences: Floats, correct: Mask) -> list[Bin]:
    """Confidence and accuracy in 15 equal bins, without empty bins (Guo et al., 2017)."""
    numbers = np.minimum((confidences * _BINS).astype(int), _BINS - 1)
    bins = []
    for number in np.unique(numbers):
        members = numbers == number
        confidence = float(confidences[members].mean())
        accuracy = float(correct[members].mean())
        bins.append(Bin(np.count_nonzero(members), confidence, accuracy))
    return bins


def expected_calibration_error(confidences: Floats, correct: Mask) -> float:
    """The mean distance of confidence from accuracy (Naeini, Cooper and Hauskrecht, 2015)."""
    total = 0.0
    for group in reliability(confidences, correct):
        total += group.count * abs(group.accuracy - group.confidence)
    return total / len(correct)


def auroc(positives: Floats, negatives: Floats) -> float:
    """The probability that a positive scores higher than a negative; a tie counts half.

    It is the statistic of Mann and Whitney per pair (Hanley and McNeil, 1982).
    """
    n = len(positives)
    ranks = scipy.stats.rankdata(np.concatenate([positives, negatives]))
    pairs_won = ranks[:n].sum() - n * (n + 1) / 2
    return float(pairs_won / (n * len(negatives)))


def fpr_at_95_tpr(positives: Floats, negatives: Floats) -> float:
    """The share of negatives at or above the score that 95 % of the positives reach."""
    threshold = np.quantile(positives, 0.05, method="lower")
    return float(np.mean(negatives >= threshold))


def mcnemar(first: Mask, second: Mask) -> float:
    """The exact two-sided p-value of McNemar's test that two models are equally accurate.

    Args:
        first: (n,) which examples one model reads right.
        second: (n,) which examples the other model reads right.
    """
    only_first = np.count_nonzero(first & ~second)
    only_second = np.count_nonzero(second & ~first)
    if not only_first and not only_second:
        return 1.0
    test = scipy.stats.binomtest(only_first, only_first + only_second)
    return float(test.pvalue)


def is_lower(candidate: Mask, live: Mask) -> bool:
    """Whether a candidate's share is lower than the live model's, beyond the 95 % interval.

    Args:
        candidate: (n,) a result per picture.
        live: (n,) the live model's results for the same pictures.
    """
    differences = live.astype(np.float64) - candidate
    standard_error = differences.std() / np.sqrt(len(differences))
    return bool(differences.mean() > scipy.special.ndtri(0.975) * standard_error)
