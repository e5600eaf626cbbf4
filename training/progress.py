"""How far a training is: told once a second, shown as a bar on a terminal and as a line for each epoch elsewhere."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import keras
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from digits.jobs import Progress

Report = Callable[[Progress], None]
# Each report may be a write to the store.
REPORT_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Reporter(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Calls `report` at most once in `REPORT_SECONDS`, and at the end of each epoch."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report
        self._validation_accuracy: float | None = None
        self._done = 0

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:  # noqa: ARG002
        """Start the clock."""
        self._started = self._reported = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:  # noqa: ARG002
        """Remember which epoch it is."""
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> None:
        """Report if it is time; the last batch is left to `on_epoch_end`, which knows more."""
        self._done += 1
        is_last = batch + 1 == self.params["steps"]
        if not is_last and time.monotonic() - self._reported >= REPORT_SECONDS:
            self._tell(batch + 1, logs)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:  # noqa: ARG002
        """Report the whole epoch."""
        self._validation_accuracy = logs.get("val_accuracy")
        self._tell(self.params["steps"], logs)

    def _tell(self, step: int, logs: Mapping[str, float]) -> None:
        if not math.isfinite(logs["loss"]):
            return  # JSON has no such number, and `fit` is about to end the training.
        self._reported = time.monotonic()
        epochs, steps = self.params["epochs"], self.params["steps"]
        remaining = (epochs - self._epoch + 1) * steps - step
        self._report(
            Progress(
                epoch=self._epoch,
                epochs=epochs,
                step=step,
                steps=steps,
                loss=float(logs["loss"]),
                accuracy=float(logs["accuracy"]),
                validation_accuracy=self._validation_accuracy,
                eta_seconds=(self._reported - self._started) / self._done * remaining,
                updated=datetime.now(UTC),
            )
        )


@contextmanager
def display() -> Iterator[Report]:
    """The function that shows progress: a bar on a terminal, elsewhere a log line for each finished epoch."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _log_epoch
        return
    with Bars(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console) as bars:
        task = bars.add_task("Training")

        def show(progress: Progress) -> None:
            done = (progress.epoch - 1) * progress.steps + progress.step
            bars.update(task, description=describe(progress), total=progress.epochs * progress.steps, completed=done)

        yield show


def describe(progress: Progress) -> str:
    """One line, such as `Epoch 2/3: loss 0.0873, accuracy 0.9741, validation accuracy 0.9880`."""
    line = f"Epoch {progress.epoch}/{progress.epochs}: loss {progress.loss:.4f}, accuracy {progress.accuracy:.4f}"
    if progress.validation_accuracy is not None:
        line += f", validation accuracy {progress.validation_accuracy:.4f}"
    return line


def _log_epoch(progress: Progress) -> None:
    if progress.step == progress.steps:
        logger.info("%s, %.0f s to go", describe(progress), progress.eta_seconds)
