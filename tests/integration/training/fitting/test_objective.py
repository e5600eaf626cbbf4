import numpy as np
import pytest
import tensorflow as tf

from training.evaluation.metrics import log_softmax
from training.fitting.objective import DAMAGED, accuracy, loss

LOGITS = np.random.default_rng(0).normal(0, 3, (4, 11)).astype(np.float32)
LOGITS[:, 10] = 9


def test_a_digit_must_not_be_taken_for_none() -> None:
    expected = -log_softmax(LOGITS)[range(4), [3, 1, 4, 10]]
    np.testing.assert_allclose(
        loss(tf.constant([3, 1, 4, 10]), tf.constant(LOGITS)), expected, rtol=1e-5
    )
    np.testing.assert_array_equal(
        accuracy(tf.constant([3, 1, 4, 10]), tf.constant(LOGITS)), [0, 0, 0, 1]
    )


def test_a_damaged_digit_may() -> None:
    best = LOGITS[:, :10].argmax(axis=1)
    labels = tf.constant(best + DAMAGED)
    logits = tf.Variable(LOGITS)
    with tf.GradientTape() as tape:
        found = loss(labels, logits)
    np.testing.assert_allclose(
        found, -log_softmax(LOGITS[:, :10])[range(4), best], rtol=1e-5
    )
    assert not np.any(tape.gradient(found, logits)[:, 10])
    np.testing.assert_array_equal(accuracy(labels, logits), np.ones(4))


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_ten_logits_are_asked_for_the_digit_alone(shape: tuple[int, ...]) -> None:
    labels = np.array([0, 5, 9, 2])
    expected = -log_softmax(LOGITS[:, :10])[range(4), labels]
    np.testing.assert_allclose(
        loss(tf.constant(labels.reshape(shape)), LOGITS[:, :10]), expected, rtol=1e-5
    )
