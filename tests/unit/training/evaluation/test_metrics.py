"""Metrics agree with scikit-learn, with direct calculations, or with published examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import log_loss, roc_auc_score, roc_curve

from digits.arrays import Floats, Mask
from training.evaluation import metrics
from training.evaluation.figures import Bin

# Whole numbers, so that ties are frequent.
scores = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30).map(np.array)
masks = arrays(np.bool_, 40)


# Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611)],
)
def test_a_share_has_the_wilson_interval_of_a_published_example(
    successes: int, trials: int, low: float, high: float
) -> None:
    share = metrics.true_share(np.arange(trials) < successes)
    assert (share.share, share.of) == (successes / trials, trials)
    assert (share.low, share.high) == pytest.approx((low, high), abs=5e-5)


def test_a_share_of_all_or_nothing_has_an_interval_within_0_and_1() -> None:
    assert metrics.true_share(np.ones(95, np.bool_)).high == 1
    assert metrics.true_share(np.zeros(95, np.bool_)).low == 0


@given(scores, scores)
def test_auroc_is_that_of_scikit_learn(positives: Floats, negatives: Floats) -> None:
    labels = np.repeat([1, 0], [len(positives), len(negatives)])
    expected = roc_auc_score(labels, np.concatenate([positives, negatives]))
    assert metrics.auroc(positives, negatives) == pytest.approx(expected)


def test_auroc_takes_refused_pictures_as_the_lowest() -> None:
    assert metrics.auroc(np.array([1.0, 2.0]), np.array([-np.inf, -np.inf])) == 1


@given(scores, scores)
def test_false_positives_are_counted_where_95_percent_of_the_positives_pass(
    positives: Floats, negatives: Floats
) -> None:
    labels = np.repeat([1, 0], [len(positives), len(negatives)])
    fpr, tpr, _ = roc_curve(
        labels, np.concatenate([positives, negatives]), drop_intermediate=False
    )
    expected = fpr[tpr >= 0.95].min()
    assert metrics.fpr_at_95_tpr(positives, negatives) == pytest.approx(expected)


def test_the_calibration_error_is_the_mean_distance_of_confidence_from_accuracy() -> (
    None
):
    confidences = np.array([0.95] * 10 + [0.55] * 10)
    correct = np.array([True] * 9 + [False] + [True] * 7 + [False] * 3)
    error = metrics.expected_calibration_error(confidences, correct)
    assert error == pytest.approx((0.05 + 0.15) / 2)
    low, high = metrics.reliability(confidences, correct)
    assert (low.count, high.count) == (10, 10)
    assert (low.confidence, low.accuracy) == pytest.approx((0.55, 0.7))
    assert (high.confidence, high.accuracy) == pytest.approx((0.95, 0.9))


def test_full_confidence_is_in_the_last_bin() -> None:
    bins = metrics.reliability(np.array([1.0, 0.97]), np.array([True, True]))
    assert bins == [Bin(count=2, confidence=0.985, accuracy=1.0)]


@given(st.floats(0.3, 3), st.integers(0, 1000))
def test_the_temperature_of_distorted_logits_is_recovered(
    temperature: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (500, 10))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    fitted = metrics.fit_temperature(logits, labels)
    assert fitted == pytest.approx(1, abs=0.35)
    distorted = metrics.fit_temperature(logits * temperature, labels)
    assert distorted == pytest.approx(fitted * temperature, rel=1e-3)


def test_the_temperature_has_the_least_cross_entropy() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (500, 10))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    fitted = metrics.fit_temperature(logits, labels)
    least = metrics.cross_entropy(logits / fitted, labels)
    assert least < metrics.cross_entropy(logits / (0.98 * fitted), labels)
    assert least < metrics.cross_entropy(logits / (1.02 * fitted), labels)


def test_mcnemar_is_the_binomial_test_of_the_differences() -> None:
    first = np.array([True] * 8 + [False] * 2 + [True] * 20)
    second = np.array([False] * 8 + [True] * 2 + [True] * 20)
    assert metrics.mcnemar(first, second) == pytest.approx(2 * (1 + 10 + 45) / 1024)


@given(masks, masks)
def test_mcnemar_is_a_symmetric_probability(first: Mask, second: Mask) -> None:
    p = metrics.mcnemar(first, second)
    assert 0 < p <= 1
    assert p == pytest.approx(metrics.mcnemar(second, first))


def test_mcnemar_of_equal_models_is_1() -> None:
    assert metrics.mcnemar(np.array([True, False]), np.array([True, False])) == 1


@pytest.mark.parametrize(
    ("live_errors", "candidate_errors", "is_lower"),
    [(0, 0, False), (0, 3, False), (0, 20, True), (20, 0, False)],
)
def test_a_mean_is_lower_only_beyond_what_chance_explains(
    live_errors: int, candidate_errors: int, *, is_lower: bool
) -> None:
    pictures = np.arange(1000)
    live, candidate = pictures >= live_errors, pictures >= candidate_errors
    assert metrics.is_lower(candidate, live) == is_lower


def test_cross_entropy_is_that_of_scikit_learn() -> None:
    logits = np.array([[5, 0, 0], [0, 0, 3], [1, 2, 0]], np.float32)
    exponentials = np.exp(logits)
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    labels = np.array([0, 1, 1])
    expected = log_loss(labels, probabilities, labels=[0, 1, 2])
    assert metrics.cross_entropy(logits, labels) == pytest.approx(expected)


def test_cross_entropy_of_huge_logits_is_finite() -> None:
    logits = np.array([[1e4, -1e4]], np.float32)
    assert metrics.cross_entropy(logits, np.array([1])) == 2e4
    assert metrics.cross_entropy(logits, np.array([0])) == 0
