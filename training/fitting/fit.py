"""Fits a network. The same seed on the same machine gives the same weights, bit for bit.

That holds for a training that was interrupted and resumed, too.
"""

import math
from dataclasses import dataclass

import keras
import tensorflow as tf

from digits.errors import InvalidDatasetError
from digits.parameters import Parameters
from training import networks
from training.evaluation.metrics import fit_temperature
from training.evaluation.predictions import keras_predictions
from training.fitting import objective
from training.fitting.callbacks import (
    KeepCheckpoint,
    RefuseDivergence,
    ReportSteps,
    ReseedDropout,
)
from training.fitting.checkpoint import Checkpoint
from training.fitting.phases import Phases
from training.fitting.training_set import make_training_set, make_validation_set
from training.input import (
    Examples,
    TargetedImages,
    evaluation_batches,
    hold_out,
    training_batches,
)
from training.networks.network import Network, Schedule


@dataclass(frozen=True)
class Fitted:
    """A trained network, and how it got there.

    Attributes:
        model: takes pixels in [0, 1], (n, 28, 28, 1), and gives (n, 10) or (n, 11)
            logits.
        history: a figure per epoch that this process ran: `loss`, `accuracy` and, where
            there is anything to validate on, `val_loss`, `val_accuracy`.
    """

    model: keras.Model
    history: dict[str, list[float]]


def train(
    examples: Examples,
    parameters: Parameters,
    *,
    phases: Phases | None = None,
    checkpoint: Checkpoint | None = None,
) -> Fitted:
    """Train a network, holding out some of the examples for validation.

    Args:
        examples: the whole training split.
        parameters: all but `dataset` count.
        phases: learns when the examples are prepared, when the network is fitted, and of
            each step.
        checkpoint: where finished epochs are kept, and where the training goes on from.

    Raises:
        InvalidDatasetError: no examples are left to train on.
        InvalidParameterError: the training diverged.
    """
    # About 2 % slower, and the reason why a figure can be reproduced.
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(parameters.seed)
    if phases:
        phases.enter("preparing")
    training, validation = _split(examples)
    recipe = networks.find_network(parameters.architecture).recipe
    training_set = make_training_set(training, recipe, parameters.seed)
    if phases:
        phases.enter("fitting")
    fitted = _fit(training_set, validation, parameters, phases, checkpoint)
    if len(validation):
        _calibrate(fitted.model, validation)
    return fitted


def _split(examples: Examples) -> tuple[Examples, Examples]:
    training, validation = hold_out(examples)
    if not len(training):
        raise InvalidDatasetError(
            "There are no examples to train on, or all examples are copies of one image."
            " Upload a dataset with different images."
        )
    return training, validation


def _fit(
    training_set: TargetedImages,
    validation: Examples,
    parameters: Parameters,
    phases: Phases | None,
    checkpoint: Checkpoint | None,
) -> Fitted:
    """Fit a network for the epochs that are left of a training."""
    network = networks.find_network(parameters.architecture)
    steps_per_epoch = math.ceil(len(training_set) / parameters.batch_size)
    model = checkpoint.load() if checkpoint else None
    if model is None:
        schedule = Schedule(
            parameters.learning_rate, parameters.epochs, steps_per_epoch
        )
        model = _compile(network, schedule)
    epochs_done = int(model.optimizer.iterations.numpy()) // steps_per_epoch
    batches = training_batches(
        training_set,
        parameters.batch_size,
        parameters.seed,
        range(epochs_done, parameters.epochs),
        network.recipe.change,
    )
    validation_batches = None
    if len(validation):
        validation_batches = evaluation_batches(make_validation_set(validation))
    history = model.fit(
        batches,
        initial_epoch=epochs_done,
        epochs=parameters.epochs,
        steps_per_epoch=steps_per_epoch,
        validation_data=validation_batches,
        callbacks=_make_callbacks(parameters.seed, phases, checkpoint),
        shuffle=False,
        verbose=0,
    )
    return Fitted(model, history.history)


def _compile(network: Network, schedule: Schedule) -> keras.Model:
    """The network with fresh weights, ready to be fitted."""
    model = network.build()
    model.compile(
        optimizer=network.recipe.optimizer(schedule),
        loss=objective.loss,
        metrics=[objective.accuracy],
    )
    return model


def _make_callbacks(
    seed: int, phases: Phases | None, checkpoint: Checkpoint | None
) -> list[keras.callbacks.Callback]:
    callbacks = [ReseedDropout(seed), RefuseDivergence()]
    if checkpoint:
        callbacks.append(KeepCheckpoint(checkpoint))
    if phases:
        callbacks.append(ReportSteps(phases))
    return callbacks


def _calibrate(model: keras.Model, validation: Examples) -> None:
    """Divide the temperature that fits the validation examples out of the last layer."""
    predictions = keras_predictions(model, validation.images)
    temperature = fit_temperature(predictions.logits, validation.labels)
    networks.soften(model, temperature)
