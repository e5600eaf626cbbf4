"""How each architecture is trained: the optimiser, and what the network is shown."""

from collections.abc import Callable
from dataclasses import dataclass

import keras

from digits.parameters import Parameters
from training.input import Change
from training.pictures.augment import augment

_WEIGHT_DECAY = 0.05
# The average of the weights reaches back so many epochs.
_AVERAGED = 2


@dataclass(frozen=True)
class Recipe:
    """How to train a network.

    Attributes:
        optimizer: makes the optimiser, for so many steps an epoch.
        rendered: how many digits it is shown as people send them, for each as it is.
        damaged: how many damaged digits.
        negatives: how many pictures of no digits.
        change: what is done to each batch of images.
    """

    optimizer: Callable[[Parameters, int], keras.optimizers.Optimizer]
    rendered: float = 0.0
    damaged: float = 0.0
    negatives: float = 0.0
    change: Change | None = None


def _adadelta(parameters: Parameters, steps: int) -> keras.optimizers.Optimizer:  # noqa: ARG001
    """The lab's. Its script was written for a default rate of 1.0; Keras has 0.001 since TensorFlow 2."""
    return keras.optimizers.Adadelta(parameters.learning_rate)


def _adamw(parameters: Parameters, steps: int) -> keras.optimizers.Optimizer:
    """AdamW, an epoch of warm-up, then a cosine to 0 (Loshchilov and Hutter, 2017 and 2019); the weights averaged."""
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=max(1, (parameters.epochs - 1) * steps),
        warmup_target=parameters.learning_rate,
        warmup_steps=steps,
    )
    momentum = 1 - 1 / (_AVERAGED * steps + 1)
    return keras.optimizers.AdamW(
        rate, weight_decay=_WEIGHT_DECAY, use_ema=True, ema_momentum=momentum
    )


RECIPES = {
    "lab": Recipe(_adadelta),
    "lite": Recipe(_adamw, rendered=0.1, damaged=0.12, negatives=0.28, change=augment),
}
