"""Fitting: the same seed on the same machine gives the same weights, bit for bit, interrupted or not."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from digits.digit import CLASSES
from digits.errors import InvalidDatasetError, InvalidParameterError
from digits.parameters import Parameters
from training import networks
from training.evaluation.answers import keras_answers
from training.evaluation.metrics import fit_temperature
from training.fitting import objective
from training.fitting.checkpoint import Checkpoint
from training.fitting.progress import Figures, Phases
from training.fitting.recipes import RECIPES, Recipe
from training.input import Examples, evaluation_batches, hold_out, training_batches
from training.pictures import negatives
from training.pictures.damage import damaged
from training.pictures.variants import rendered


@dataclass(frozen=True)
class Fitted:
    """A trained network, and how it got there.

    Attributes:
        model: takes pixels in [0, 1], (n, 28, 28, 1), and gives (n, 10) logits.
        history: one figure an epoch, of the epochs run by this process: `loss`,
            `accuracy` and, where there is anything to validate on, `val_loss`,
            `val_accuracy`.
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
        parameters: `dataset` is not looked at.
        phases: hears that the examples are prepared, that the network is fitted, and of each step.
        checkpoint: where to keep finished epochs, and to go on from.

    Raises:
        InvalidDatasetError: no examples are left to train on.
        InvalidParameterError: the training diverged.
    """
    if phases:
        phases.enter("preparing")
    # About 2 % slower, and the reason why a figure can be reproduced.
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(parameters.seed)
    training, validation = hold_out(examples)
    if not len(training):
        raise InvalidDatasetError(
            "Expected examples to train on. Received none, or copies of one image."
        )
    recipe = RECIPES[parameters.architecture]
    shown = _shown(training, recipe, parameters.seed)
    steps = math.ceil(len(shown) / parameters.batch_size)
    if phases:
        phases.enter("fitting")
    model = (checkpoint.load() if checkpoint else None) or _compiled(parameters, steps)
    finished = int(model.optimizer.iterations.numpy()) // steps
    fitted = model.fit(
        training_batches(
            shown,
            parameters.batch_size,
            parameters.seed,
            range(finished, parameters.epochs),
            recipe.change,
        ),
        initial_epoch=finished,
        epochs=parameters.epochs,
        steps_per_epoch=steps,
        validation_data=evaluation_batches(validation) if len(validation) else None,
        callbacks=[
            _Epochs(parameters.seed, checkpoint),
            *([_Steps(phases)] if phases else []),
        ],
        shuffle=False,
        verbose=0,
    )
    if len(validation):
        answers = keras_answers(model, validation.images)
        networks.soften(model, fit_temperature(answers.logits, validation.labels))
    return Fitted(model, fitted.history)


def _compiled(parameters: Parameters, steps: int) -> keras.Model:
    model = networks.build(parameters.architecture)
    model.compile(
        optimizer=RECIPES[parameters.architecture].optimizer(parameters, steps),
        loss=objective.loss,
        metrics=[objective.accuracy],
    )
    return model


def _shown(examples: Examples, recipe: Recipe, seed: int) -> Examples:
    """Examples, some of them as people send them, some damaged, and pictures of no digits as an eleventh class."""
    parts = [examples]
    if count := round(recipe.rendered * len(examples)):
        parts.append(rendered(count, seed, examples))
    if count := round(recipe.damaged * len(examples)):
        digits = damaged(count, seed, examples)
        parts.append(Examples(digits.images, digits.labels + objective.DAMAGED))
    if count := round(recipe.negatives * len(examples)):
        parts.append(
            Examples(
                negatives.fitted(count, seed, examples.images), np.full(count, CLASSES)
            )
        )
    return Examples(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


class _Epochs(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Begins each epoch from a random state of its own, refuses a diverged model, and keeps a good one."""

    def __init__(self, seed: int, checkpoint: Checkpoint | None) -> None:
        super().__init__()
        self._seed = seed
        self._checkpoint = checkpoint

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        # Keras does not save what dropout draws from, so a training that resumes could
        # not go on with it.
        states = [
            variable
            for variable in self.model.variables
            if variable.path.endswith("seed_generator_state")
        ]
        for index, state in enumerate(states):
            state.assign(
                [
                    *np.random.SeedSequence([self._seed, epoch, index]).generate_state(
                        1
                    ),
                    0,
                ]
            )

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        if not math.isfinite(logs["loss"]):
            raise InvalidParameterError(
                f"The training diverged: the loss is {logs['loss']} after epoch {epoch + 1}. Lower learning_rate."
            )
        if self._checkpoint:
            self._checkpoint.save(self.model)


class _Steps(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Tells of each step."""

    def __init__(self, phases: Phases) -> None:
        super().__init__()
        self._phases = phases
        self._validation_accuracy: float | None = None
        self._epoch = 0

    def on_epoch_begin(
        self,
        epoch: int,
        logs: Mapping[str, float] | None = None,  # noqa: ARG002
    ) -> None:
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> None:
        # The last one is left to `on_epoch_end`, which knows more.
        if batch + 1 < self.params["steps"]:
            self._tell(batch + 1, logs)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:  # noqa: ARG002
        self._validation_accuracy = logs.get("val_accuracy")
        self._tell(self.params["steps"], logs)

    def _tell(self, step: int, logs: Mapping[str, float]) -> None:
        if not math.isfinite(logs["loss"]):
            return  # JSON has no such number, and `_Epochs` is about to end the training.
        self._phases.step(
            Figures(
                epoch=self._epoch,
                epochs=self.params["epochs"],
                step=step,
                steps=self.params["steps"],
                loss=float(logs["loss"]),
                accuracy=float(logs["accuracy"]),
                validation_accuracy=self._validation_accuracy,
            )
        )
