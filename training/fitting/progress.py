"""What people see of a training: its progress in the store, on a terminal or in a log."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from digits import jobs
from digits.errors import StoreError
from digits.jobs import Phase, Progress
from digits.store import Store
from training.fitting.phases import Phases

# Each report is a write to the store.
REPORT_SECONDS = 1.0
# How long the end of a training waits for the last write.
_LAST_WRITE_SECONDS = 1.0
_BAR_CHARACTERS = 30
_FRAMES_PER_SECOND = 4
_TITLES: dict[Phase, str] = {
    "fetching": "Fetching the examples",
    "preparing": "Preparing the examples",
    "fitting": "Fitting the network",
    "exporting": "Exporting the model",
    "evaluating": "Evaluating the model",
    "publishing": "Publishing the model",
}

logger = logging.getLogger(__name__)


@contextmanager
def published(store: Store, job_id: str, phases: Phases) -> Iterator[None]:
    """Write the progress of a job every second, beside the training.

    Progress is best effort. The training never waits for the store here, and a write
    that fails is only logged.
    """
    stop = Event()
    # A daemon thread, so that a store that hangs does not keep the process alive.
    writer = Thread(target=_write, args=(store, job_id, phases, stop), daemon=True)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join(_LAST_WRITE_SECONDS)


def _write(store: Store, job_id: str, phases: Phases, stop: Event) -> None:
    is_failing = False
    while True:
        try:
            jobs.save_progress(store, job_id, phases.now())
            is_failing = False
        except StoreError as error:
            # Logged for the first of several failures only.
            if not is_failing:
                logger.warning(
                    "The progress cannot be written. The training continues. %s",
                    error.detail,
                )
            is_failing = True
        if stop.wait(REPORT_SECONDS):
            return


@contextmanager
def display(phases: Phases) -> Iterator[None]:
    """Show the progress on a terminal, or log a line per phase and per epoch elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        phases.listen(_log)
        yield
        return
    started = time.monotonic()

    def draw() -> Table:
        return _draw_line(phases.now(), time.monotonic() - started)

    live = Live(
        console=console, get_renderable=draw, refresh_per_second=_FRAMES_PER_SECOND
    )
    with live:
        live.refresh()
        yield


def describe_progress(progress: Progress) -> str:
    """What a training does, such as `Fetching the examples`.

    While it fits, `Epoch 2/3: loss 0.0873, accuracy 0.9741, validation accuracy 0.9880`.
    """
    if progress.epoch is None:
        return _TITLES[progress.phase]
    figures = [
        f"loss {progress.loss:.4f}",
        f"accuracy {progress.accuracy:.4f}",
    ]
    if progress.validation_accuracy is not None:
        figures.append(f"validation accuracy {progress.validation_accuracy:.4f}")
    return f"Epoch {progress.epoch}/{progress.epochs}: {', '.join(figures)}"


def _draw_line(progress: Progress, elapsed: float) -> Table:
    left = progress.eta_seconds or 0.0
    bar = ProgressBar(total=elapsed + left, completed=elapsed, width=_BAR_CHARACTERS)
    line = Table.grid(padding=(0, 1))
    line.add_row(describe_progress(progress), bar, _describe_eta(progress))
    return line


def _log(progress: Progress) -> None:
    logger.info("%s, %s", describe_progress(progress), _describe_eta(progress))


def _describe_eta(progress: Progress) -> str:
    minutes, seconds = divmod(round(progress.eta_seconds or 0.0), 60)
    if minutes:
        return f"{minutes} min {seconds} s to go"
    return f"{seconds} s to go"
