"""Figures of merit, held against slow and direct calculations, or against published examples."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from digits.arrays import Floats, Mask
from training.evaluation import metrics

scores = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30).map(np.array)
flags = arrays(np.bool_, 40)


def test_the_wilson_interval_is_that_of_a_published_example() -> None:
    # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I.
    for successes, trials, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
    ]:
        assert metrics.wilson_interval(successes, trials) == pytest.approx(
            (low, high), abs=5e-5
        )


@given(scores, scores)
def test_auroc_counts_pairs(positives: Floats, negatives: Floats) -> None:
    pairs = [(p > n) + (p == n) / 2 for p, n in itertools.product(positives, negatives)]
    assert metrics.auroc(positives, negatives) == pytest.approx(np.mean(pairs))


@given(scores, scores)
def test_95_percent_of_the_positives_pass_where_the_false_positives_are_counted(
    positives: Floats, negatives: Floats
) -> None:
    thresholds = [t for t in positives if np.mean(positives >= t) >= 0.95]
    assert metrics.fpr_at_95_tpr(positives, negatives) == np.mean(
        negatives >= max(thresholds)
    )


def test_calibration_is_exact_where_it_is_known() -> None:
    confidences = np.array([0.95] * 10 + [0.55] * 10)
    right = np.array([True] * 9 + [False] + [True] * 7 + [False] * 3)
    assert metrics.expected_calibration_error(confidences, right) == pytest.approx(
        (0.05 + 0.15) / 2
    )
    bins = [
        (b.count, b.confidence, b.accuracy)
        for b in metrics.reliability(confidences, right)
    ]
    np.testing.assert_allclose(bins, [(10, 0.55, 0.7), (10, 0.95, 0.9)])


def test_full_confidence_is_in_the_last_bin() -> None:
    assert metrics.reliability(np.array([1.0, 0.97]), np.array([True, True])) == [
        metrics.Bin(2, 0.985, 1.0)
    ]


@given(st.floats(0.3, 3), st.integers(0, 1000))
def test_the_temperature_that_spoilt_logits_is_found_again(
    temperature: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (500, 10))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    once = metrics.fit_temperature(logits, labels)
    assert metrics.fit_temperature(logits * temperature, labels) == pytest.approx(
        once * temperature, rel=1e-3
    )
    nearby = [
        metrics.cross_entropy(logits / (once * factor), labels)
        for factor in (0.98, 1.0, 1.02)
    ]
    assert nearby[1] == min(nearby)
    assert once == pytest.approx(1, abs=0.35)


def test_mcnemar_is_the_binomial_test_of_the_differences() -> None:
    first = np.array([True] * 8 + [False] * 2 + [True] * 20)
    second = np.array([False] * 8 + [True] * 2 + [True] * 20)
    assert metrics.mcnemar(first, second) == pytest.approx(2 * (1 + 10 + 45) / 1024)


@given(flags, flags)
def test_mcnemar_is_a_probability_and_knows_no_order(first: Mask, second: Mask) -> None:
    assert 0 < metrics.mcnemar(first, second) <= 1
    assert metrics.mcnemar(first, second) == metrics.mcnemar(second, first)
    assert metrics.mcnemar(first, first) == 1


def test_worse_needs_more_than_chance() -> None:
    live = np.ones(1000)
    few, many = np.ones(1000), np.ones(1000)
    few[:3], many[:20] = 0, 0
    assert not metrics.worse(live, live)
    assert not metrics.worse(live, few)
    assert metrics.worse(live, many)
    assert not metrics.worse(many, live)


def test_probabilities_of_huge_logits_are_finite() -> None:
    logarithms = metrics.log_softmax(np.array([[1e4, -1e4]], np.float32))
    np.testing.assert_array_equal(logarithms, [[0, -2e4]])


def test_cross_entropy_is_that_of_the_definition() -> None:
    logits = np.array([[5, 0, 0], [0, 0, 3], [1, 2, 0]], np.float32)
    chances = [
        math.exp(5) / (math.exp(5) + 2),
        1 / (2 + math.exp(3)),
        math.exp(2) / (math.e + math.exp(2) + 1),
    ]
    assert metrics.cross_entropy(logits, np.array([0, 1, 1])) == pytest.approx(
        -np.log(chances).mean()
    )
