"""What a network learns to answer: which digit an image shows and, unless it is damaged, whether it shows one at all.

The label of a digit is the digit, of a picture of none `CLASSES`, of a damaged digit
`DAMAGED` and the digit.
"""

import keras
import tensorflow as tf

from digits.digit import CLASSES

DAMAGED = CLASSES + 1
# As good as never.
_UNLIKELY = 1e4


@keras.saving.register_keras_serializable("digits")  # type: ignore[untyped-decorator]  # Keras has no types
def loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy in nats, (n,), of (n,) or (n, 1) labels and (n, 10) or (n, 11) logits."""
    labels, logits = _asked(labels, logits)
    return keras.losses.sparse_categorical_crossentropy(
        labels, logits, from_logits=True
    )


@keras.saving.register_keras_serializable("digits")  # type: ignore[untyped-decorator]  # Keras has no types
def accuracy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """1 where the likeliest answer is right, (n,), else 0."""
    return keras.metrics.sparse_categorical_accuracy(*_asked(labels, logits))


def _asked(labels: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Labels from 0 to `CLASSES`, and logits that do not tell whether a damaged digit is one."""
    labels = tf.reshape(tf.cast(labels, tf.int32), (-1,))
    is_damaged = labels >= DAMAGED
    if logits.shape[1] > CLASSES:
        unlikely = _UNLIKELY * tf.cast(is_damaged, logits.dtype)[:, tf.newaxis]
        logits = tf.concat(
            [logits[:, :CLASSES], logits[:, CLASSES:] - unlikely], axis=1
        )
    return tf.where(is_damaged, labels - DAMAGED, labels), logits
