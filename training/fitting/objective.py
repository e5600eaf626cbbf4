"""What a network learns to answer.

A network learns which digit an image shows and, unless the digit is damaged, whether the
image shows a digit at all. A network that learns to accept damaged digits as digits also
accepts garments as digits (docs/performance.md).

The targets of n images are (n, 2) integers. Column 0 is the label: the digit, or `CLASSES`
for a non-digit. Column 1 is 1 for a damaged digit, else 0.
"""

import keras
import numpy as np
import tensorflow as tf

from digits.arrays import Integers
from digits.digit import CLASSES

# Subtracted from a logit, it leaves a class a probability of 0 in float32.
_IMPOSSIBLE = 1e4
# A checkpoint names its loss and its metric by this package and the function's name.
_serializable = keras.saving.register_keras_serializable("digits")


def make_targets(labels: Integers, *, is_damaged: bool = False) -> Integers:
    """Targets, (n, 2) int64, of n images that are all damaged digits, or all not.

    Args:
        labels: (n,) digits, or `CLASSES` for a non-digit.
        is_damaged: whether the images are damaged digits.
    """
    flags = np.full(len(labels), is_damaged)
    return np.stack([labels, flags], axis=1, dtype=np.int64)


@_serializable  # type: ignore[untyped-decorator]  # Keras has no types
def loss(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy in nats, (n,), of (n, 2) targets and (n, 10) or (n, 11) logits."""
    allowed = _forbid_non_digits(targets, logits)
    return keras.losses.sparse_categorical_crossentropy(
        _labels(targets), allowed, from_logits=True
    )


@_serializable  # type: ignore[untyped-decorator]  # Keras has no types
def accuracy(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """1 where the likeliest answer is right, (n,), else 0."""
    allowed = _forbid_non_digits(targets, logits)
    return keras.metrics.sparse_categorical_accuracy(_labels(targets), allowed)


def _labels(targets: tf.Tensor) -> tf.Tensor:
    return tf.cast(targets[:, 0], tf.int32)


def _is_damaged(targets: tf.Tensor) -> tf.Tensor:
    return targets[:, 1]


def _forbid_non_digits(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Logits by which a damaged digit is a non-digit with a probability of 0.

    So neither the loss nor its gradient depends on a damaged digit's eleventh logit.
    """
    if logits.shape[1] == CLASSES:
        return logits
    is_damaged = tf.cast(_is_damaged(targets), logits.dtype)
    penalties = _IMPOSSIBLE * is_damaged[:, tf.newaxis]
    digits = logits[:, :CLASSES]
    non_digit = logits[:, CLASSES:]
    return tf.concat([digits, non_digit - penalties], axis=1)
