"""The networks that can be trained. Each takes pixels in [0, 1], (n, 28, 28, 1) float32, and gives (n, 10) logits."""

from collections.abc import Callable

import keras
from keras import layers

from digits.errors import InvalidParameterError
from digits.tfds import CLASSES, SIDE


def build(architecture: str) -> keras.Model:
    """A network with fresh weights, drawn from Keras' global seed.

    Raises:
        InvalidParameterError: there is no such architecture.
    """
    try:
        return _ARCHITECTURES[architecture]()
    except KeyError as error:
        raise InvalidParameterError(
            f"Expected architecture to be one of {', '.join(_ARCHITECTURES)}. Received {architecture!r}."
        ) from error


def prepare(model: keras.Model, learning_rate: float) -> None:
    """Compile the network for training as the lab did: categorical cross-entropy, Adadelta.

    The lab's script was written for a default rate of 1.0; Keras' Adadelta has 0.001 since TensorFlow 2.
    """
    model.compile(
        optimizer=keras.optimizers.Adadelta(learning_rate=learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )


def _lab() -> keras.Model:
    """The lab's CNN. Its softmax is left to the loss and to the caller, which is the same to the last weight."""
    # Names of their own: Keras' automatic ones count up in a process, and would make equal exports differ.
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1), name="image"),
            layers.Conv2D(32, 3, activation="relu", name="conv_1"),
            layers.Conv2D(64, 3, activation="relu", name="conv_2"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Dropout(0.25, name="dropout_1"),
            layers.Flatten(name="flatten"),
            layers.Dense(128, activation="relu", name="dense"),
            layers.Dropout(0.5, name="dropout_2"),
            layers.Dense(CLASSES, name="logits"),
        ],
        name="lab",
    )


_ARCHITECTURES: dict[str, Callable[[], keras.Model]] = {"lab": _lab}
