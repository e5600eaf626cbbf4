import numpy as np
import pytest

from research.rejection import (
    NEIGHBOURS,
    NonDigitSet,
    Outputs,
    Reference,
    eleventh_class,
    energy,
    mahalanobis,
    max_logit,
    max_softmax,
    nearest_neighbours,
)

RNG = np.random.default_rng(0)


def draw_outputs(count: int) -> Outputs:
    return Outputs(RNG.normal(size=(count, 11)), RNG.normal(size=(count, 4)))


LABELS = np.arange(200) % 10
REFERENCE = Reference(draw_outputs(200), LABELS)
OUTPUTS = draw_outputs(30)


def test_logits_give_the_scores() -> None:
    digit_logits = OUTPUTS.logits[:, :10]
    exponentials = np.exp(digit_logits)
    total = exponentials.sum(axis=1)
    largest = digit_logits.max(axis=1)
    np.testing.assert_allclose(max_logit(OUTPUTS), largest)
    np.testing.assert_allclose(energy(OUTPUTS), np.log(total))
    probabilities = exponentials / total[:, np.newaxis]
    np.testing.assert_allclose(max_softmax(OUTPUTS), np.log(probabilities.max(axis=1)))
    np.testing.assert_allclose(eleventh_class(OUTPUTS), largest - OUTPUTS.logits[:, 10])


def test_the_mahalanobis_distance_is_to_the_nearest_class_mean() -> None:
    features, labels = REFERENCE.outputs.features, REFERENCE.labels
    means = np.array([features[labels == digit].mean(axis=0) for digit in range(10)])
    residuals = features - means[labels]
    precision = np.linalg.inv(residuals.T @ residuals / len(residuals))
    offsets = OUTPUTS.features[:, np.newaxis] - means
    distances = np.einsum("nci,ij,ncj->nc", offsets, precision, offsets)
    scores = mahalanobis(REFERENCE)(OUTPUTS)
    np.testing.assert_allclose(scores, -distances.min(axis=1))


def test_the_neighbour_is_the_tenth_by_direction() -> None:
    reference, features = REFERENCE.outputs.features, OUTPUTS.features
    norms = np.outer(
        np.linalg.norm(features, axis=1), np.linalg.norm(reference, axis=1)
    )
    cosines = np.sort(features @ reference.T / norms, axis=1)
    scores = nearest_neighbours(REFERENCE)(OUTPUTS)
    np.testing.assert_allclose(scores, cosines[:, -NEIGHBOURS] - 1)


def test_refused_pictures_count_as_rejected() -> None:
    threshold = float(np.median(max_logit(OUTPUTS)))
    non_digits = NonDigitSet(refused=10, outputs=OUTPUTS)
    percent = non_digits.rejected_percent(max_logit, threshold)
    assert percent == pytest.approx(100 * (10 + 15) / 40)


def test_a_set_that_serving_refuses_is_rejected() -> None:
    assert NonDigitSet(refused=5, outputs=None).rejected_percent(max_logit, 0) == 100
