"""What an architecture consists of: how its network is built, and how it is trained."""

from collections.abc import Callable
from dataclasses import dataclass

import keras

from training.input import Change


@dataclass(frozen=True)
class Schedule:
    """What an optimiser may depend on.

    Attributes:
        learning_rate: the learning rate that was asked for.
        epochs: epochs of the whole training.
        steps_per_epoch: batches per epoch.
    """

    learning_rate: float
    epochs: int
    steps_per_epoch: int


@dataclass(frozen=True)
class Recipe:
    """How to train a network.

    Attributes:
        optimizer: makes the optimiser.
        rendered: digits rendered as people send them, per example of the dataset.
        damaged: damaged digits, per example of the dataset.
        negatives: non-digits, per example of the dataset.
        change: what is done to each batch of images.
    """

    optimizer: Callable[[Schedule], keras.optimizers.Optimizer]
    rendered: float = 0.0
    damaged: float = 0.0
    negatives: float = 0.0
    change: Change | None = None

    @property
    def examples_shown(self) -> float:
        """Examples that an epoch shows, per example of the dataset."""
        return 1.0 + self.rendered + self.damaged + self.negatives


@dataclass(frozen=True)
class Network:
    """An architecture that can be trained.

    Attributes:
        build: makes the network with fresh weights.
        recipe: how the network is trained.
    """

    build: Callable[[], keras.Model]
    recipe: Recipe
