"""The loss and the accuracy of a network, against independent calculations in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from digits.arrays import Floats, Integers, Mask
from digits.digit import CLASSES
from training.fitting.objective import accuracy, loss, make_targets

N = 64
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 3, (N, CLASSES + 1)).astype(np.float32)
LABELS = RNG.integers(0, CLASSES + 1, N)
IS_DAMAGED = (RNG.random(N) < 0.5) & (LABELS < CLASSES)
TARGETS: Integers = np.stack([LABELS, IS_DAMAGED], axis=1).astype(np.int64)


def cross_entropy(logits: Floats, labels: Integers) -> Floats:
    """The definition, in float64."""
    exponentials = np.exp(logits.astype(np.float64))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    chosen = probabilities[np.arange(len(labels)), labels]
    return np.asarray(-np.log(chosen))


def packed_loss(packed_labels: Integers, logits: Floats) -> Floats:
    """The loss by which the bundled model was trained.

    A damaged digit had `CLASSES + 1` added to its label, and 10,000 subtracted from its
    eleventh logit.
    """
    is_damaged = packed_labels >= CLASSES + 1
    labels = np.where(is_damaged, packed_labels - (CLASSES + 1), packed_labels)
    changed = logits.copy()
    changed[is_damaged, CLASSES:] -= 1e4
    return cross_entropy(changed, labels)


def gradient_of_loss(targets: Integers, logits: Floats) -> Floats:
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(loss(tf.constant(targets), variable))
    gradient: Floats = tape.gradient(total, variable).numpy()
    return gradient


def test_the_loss_is_the_loss_of_the_bundled_model() -> None:
    packed_labels = LABELS + (CLASSES + 1) * IS_DAMAGED
    np.testing.assert_allclose(
        loss(tf.constant(TARGETS), tf.constant(LOGITS)),
        packed_loss(packed_labels, LOGITS),
        rtol=1e-5,
    )


def test_a_damaged_digit_is_compared_with_digits_only() -> None:
    expected = np.where(
        IS_DAMAGED,
        cross_entropy(LOGITS[:, :CLASSES], np.minimum(LABELS, CLASSES - 1)),
        cross_entropy(LOGITS, LABELS),
    )
    found = loss(tf.constant(TARGETS), tf.constant(LOGITS))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_damaged_digit_does_not_change_the_eleventh_logit() -> None:
    gradient = gradient_of_loss(TARGETS, LOGITS)
    assert not gradient[IS_DAMAGED, CLASSES].any()
    assert gradient[~IS_DAMAGED, CLASSES].all()


@pytest.mark.parametrize("is_damaged", [IS_DAMAGED, ~IS_DAMAGED])
def test_accuracy_asks_a_damaged_digit_for_the_best_digit(is_damaged: Mask) -> None:
    best_digit, best_class = LOGITS[:, :CLASSES].argmax(axis=1), LOGITS.argmax(axis=1)
    expected = np.where(is_damaged, best_digit, best_class) == LABELS
    targets = np.stack([LABELS, is_damaged], axis=1)
    found = accuracy(tf.constant(targets), tf.constant(LOGITS))
    np.testing.assert_array_equal(found, expected)


def test_ten_logits_are_compared_with_the_digit_alone() -> None:
    labels = LABELS % CLASSES
    logits = LOGITS[:, :CLASSES]
    for is_damaged in (False, True):
        targets = make_targets(labels, is_damaged=is_damaged)
        found = loss(tf.constant(targets), tf.constant(logits))
        np.testing.assert_allclose(found, cross_entropy(logits, labels), rtol=1e-5)


def test_keras_passes_targets_and_means_losses() -> None:
    """What Keras does to targets on their way to the loss leaves both columns as they are."""
    model = keras.Sequential([keras.Input((CLASSES + 1,)), keras.layers.Identity()])
    model.compile(loss=loss, metrics=[accuracy])
    found = model.evaluate(LOGITS, TARGETS, batch_size=N, verbose=0, return_dict=True)
    expected = loss(tf.constant(TARGETS), tf.constant(LOGITS)).numpy().mean()
    assert found["loss"] == pytest.approx(expected, rel=1e-5)


def test_targets_are_the_label_and_whether_the_digit_is_damaged() -> None:
    labels = np.array([3, 1, CLASSES])
    np.testing.assert_array_equal(make_targets(labels), [[3, 0], [1, 0], [CLASSES, 0]])
    damaged = make_targets(labels[:2], is_damaged=True)
    np.testing.assert_array_equal(damaged, [[3, 1], [1, 1]])
    assert damaged.dtype == np.int64
