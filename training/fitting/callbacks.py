"""What happens between the steps of a fitting: reproducible epochs, checkpoints, progress.

Keras calls each method by position, with what it has measured so far as the last argument.
"""

import math
from collections.abc import Mapping

import keras
import numpy as np

from digits.errors import InvalidParameterError
from training.fitting.checkpoint import Checkpoint
from training.fitting.phases import Figures, Phases

Logs = Mapping[str, float]


class ReseedDropout(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Begins each epoch from a random state that depends on the seed and the epoch only.

    Keras does not save the state that dropout draws from, so a training that resumes
    could not go on with it.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def on_epoch_begin(self, epoch: int, _logs: Logs | None = None) -> None:
        """Replace the random state of each dropout layer."""
        states = [
            variable
            for variable in self.model.variables
            if variable.path.endswith("seed_generator_state")
        ]
        for index, state in enumerate(states):
            sequence = np.random.SeedSequence([self._seed, epoch, index])
            (word,) = sequence.generate_state(1)
            state.assign([word, 0])


class RefuseDivergence(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a training whose loss is no longer a finite number."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Check the loss.

        Raises:
            InvalidParameterError: the loss is infinite or not a number.
        """
        if not math.isfinite(logs["loss"]):
            raise InvalidParameterError(
                f"The training diverged: the loss is {logs['loss']} after epoch"
                f" {epoch + 1}. Lower learning_rate."
            )


class KeepCheckpoint(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the model after each epoch."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self._checkpoint = checkpoint

    def on_epoch_end(self, _epoch: int, _logs: Logs) -> None:
        """Save the model."""
        self._checkpoint.save(self.model)


class ReportSteps(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports each step to the phases."""

    def __init__(self, phases: Phases) -> None:
        super().__init__()
        self._phases = phases
        self._validation_accuracy: float | None = None
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, _logs: Logs | None = None) -> None:
        """Remember the epoch."""
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Report a step, but not the last step of an epoch."""
        # `on_epoch_end` reports the last step, with the validation accuracy.
        if batch + 1 < self.params["steps"]:
            self._report(batch + 1, logs)

    def on_epoch_end(self, _epoch: int, logs: Logs) -> None:
        """Report the last step of the epoch."""
        self._validation_accuracy = logs.get("val_accuracy")
        self._report(self.params["steps"], logs)

    def _report(self, step: int, logs: Logs) -> None:
        # JSON has no infinity, and `RefuseDivergence` is about to end the training.
        if not math.isfinite(logs["loss"]):
            return
        figures = Figures(
            epoch=self._epoch,
            epochs=self.params["epochs"],
            step=step,
            steps=self.params["steps"],
            loss=float(logs["loss"]),
            accuracy=float(logs["accuracy"]),
            validation_accuracy=self._validation_accuracy,
        )
        self._phases.step(figures)
