"""`lab`: the research lab's CNN, trained as the lab did."""

import keras
from keras import layers

from digits.digit import CLASSES, SIDE
from training.networks.network import Recipe, Schedule


def build() -> keras.Model:
    """The lab's CNN without its softmax.

    The loss and the caller apply the softmax, which leads to the same weights.
    """
    # Keras' automatic names count up in a process, and would make equal exports differ.
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


def _adadelta(schedule: Schedule) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adadelta(schedule.learning_rate)


RECIPE = Recipe(_adadelta)
