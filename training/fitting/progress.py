"""What a training does now, and how long it still takes: kept in the store, shown on a terminal or logged.

It imports no TensorFlow, so that something is said before those seconds.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from threading import Event, Thread
from typing import get_args

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from digits import jobs
from digits.errors import StoreError
from digits.jobs import Phase, Progress
from digits.store import Store

Listener = Callable[[Progress], None]

# Each is a write to the store.
REPORT_SECONDS = 1.0
# For the last write, when a training ends.
_LAST_WRITE_SECONDS = 1.0
# The first steps are no measure: the expected pace counts as much as so many of them.
_EXPECTED_STEPS = 20
# A phase that takes longer than expected goes on for this share of what it has taken.
_OVERDUE = 0.1
_BAR = 30  # characters
_FRAMES = 4  # a second
_PHASES: tuple[Phase, ...] = get_args(Phase)
_WORDS: dict[Phase, str] = {
    "fetching": "Fetching the examples",
    "preparing": "Preparing the examples",
    "fitting": "Fitting the network",
    "exporting": "Exporting the model",
    "evaluating": "Evaluating the model",
    "publishing": "Publishing the model",
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Figures:
    """How far the fitting is, as `Progress` has it."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    validation_accuracy: float | None

    @property
    def done(self) -> int:
        """Steps of all epochs."""
        return (self.epoch - 1) * self.steps + self.step

    @property
    def total(self) -> int:
        """Steps of all epochs that there are."""
        return self.epochs * self.steps


@dataclass(frozen=True)
class _Moment:
    """A step, and when it ended."""

    figures: Figures
    time: float


@dataclass(frozen=True)
class _State:
    """A phase, since when, and while it fits the first and the last step of this process.

    `slowness` is how many times as long as expected a step took, at least 1: so do the
    phases after it.
    """

    phase: Phase
    entered: float
    slowness: float = 1.0
    first: _Moment | None = None
    last: _Moment | None = None


class Phases:
    """Which phase a training is in.

    The training tells it; anyone may ask, from any thread.

    Args:
        expected: how many seconds each phase takes, as `training.fitting.expected`
            says; a phase that is not there takes none, and fitting takes some.
    """

    def __init__(self, expected: Mapping[Phase, float]) -> None:
        self._expected = expected
        self._listeners: list[Listener] = []
        # One object, replaced as a whole, because other threads read it.
        self._state = _State(_PHASES[0], time.monotonic())

    def listen(self, listener: Listener) -> None:
        """Call a function whenever a phase begins or an epoch ends."""
        self._listeners.append(listener)

    def enter(self, phase: Phase) -> None:
        """Say that a phase begins."""
        self._state = _State(phase, time.monotonic(), self._state.slowness)
        self._tell()

    def step(self, figures: Figures) -> None:
        """Say that the network has been fitted by one step more."""
        moment = _Moment(figures, time.monotonic())
        first = self._state.first or moment
        # A GPU makes the steps faster, and nothing else.
        slowness = max(1.0, self._pace(first, moment) / self._expected_pace(figures))
        self._state = replace(self._state, first=first, last=moment, slowness=slowness)
        if figures.step == figures.steps:
            self._tell()

    def now(self) -> Progress:
        """How far the training is.

        Its `eta_seconds` are those of this phase and of all that follow. A phase takes
        what is expected of it; fitting, once there are steps to go by, what the steps
        that are left take at the pace of those that are done. If that is slower than
        expected, so are the phases after it. A phase that is overdue is not taken for
        over, so there is always some time left.
        """
        state, time_now = self._state, time.monotonic()
        later = _PHASES[_PHASES.index(state.phase) + 1 :]
        left = self._left_of(state, time_now) + sum(
            state.slowness * self._expected.get(phase, 0.0) for phase in later
        )
        figures = asdict(state.last.figures) if state.last else {}
        return Progress(
            phase=state.phase, updated=datetime.now(UTC), eta_seconds=left, **figures
        )

    def _left_of(self, state: _State, now: float) -> float:
        """How many seconds are left of the phase itself."""
        if state.first and state.last:
            steps = state.last.figures.total - state.last.figures.done
            return max(
                0.0,
                self._pace(state.first, state.last) * steps - (now - state.last.time),
            )
        elapsed = now - state.entered
        return max(
            state.slowness * self._expected.get(state.phase, 0.0) - elapsed,
            _OVERDUE * elapsed,
        )

    def _pace(self, first: _Moment, last: _Moment) -> float:
        """How many seconds a step takes."""
        taken, steps = last.time - first.time, last.figures.done - first.figures.done
        return (_EXPECTED_STEPS * self._expected_pace(last.figures) + taken) / (
            _EXPECTED_STEPS + steps
        )

    def _expected_pace(self, figures: Figures) -> float:
        return self._expected["fitting"] / figures.total

    def _tell(self) -> None:
        progress = self.now()
        for listener in self._listeners:
            listener(progress)


@contextmanager
def published(store: Store, job_id: str, phases: Phases) -> Iterator[None]:
    """Write the progress of a job every second, beside the training.

    Progress is best effort. The training never waits for the store here, and a write
    that fails is only logged.
    """
    stop = Event()
    # A daemon, because a store that hangs must not keep the process from its end.
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
            if not is_failing:
                logger.warning(
                    "The progress cannot be written; the training goes on: %s",
                    error.detail,
                )
            is_failing = True
        if stop.wait(REPORT_SECONDS):
            return


@contextmanager
def display(phases: Phases) -> Iterator[None]:
    """Show the progress: a line with a bar on a terminal, elsewhere a log line for each phase and each epoch."""
    console = Console(stderr=True)
    if not console.is_terminal:
        phases.listen(_log)
        yield
        return
    started = time.monotonic()

    def draw() -> Table:
        return _line(phases.now(), time.monotonic() - started)

    with Live(console=console, get_renderable=draw, refresh_per_second=_FRAMES) as live:
        live.refresh()
        yield


def describe(progress: Progress) -> str:
    """What a training does, such as `Fetching the examples`.

    While it fits, `Epoch 2/3: loss 0.0873, accuracy 0.9741, validation accuracy 0.9880`.
    """
    if progress.epoch is None:
        return _WORDS[progress.phase]
    line = f"Epoch {progress.epoch}/{progress.epochs}: loss {progress.loss:.4f}, accuracy {progress.accuracy:.4f}"
    if progress.validation_accuracy is not None:
        line += f", validation accuracy {progress.validation_accuracy:.4f}"
    return line


def _line(progress: Progress, elapsed: float) -> Table:
    left = progress.eta_seconds or 0.0
    bar = ProgressBar(total=elapsed + left, completed=elapsed, width=_BAR)
    line = Table.grid(padding=(0, 1))
    line.add_row(describe(progress), bar, _words(left))
    return line


def _log(progress: Progress) -> None:
    logger.info("%s, %s", describe(progress), _words(progress.eta_seconds or 0.0))


def _words(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s to go" if minutes else f"{rest} s to go"
