"""Which phase a training is in, and how long it still takes.

The module imports no TensorFlow, so that people see the first phase before TensorFlow is
loaded, which takes seconds.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import get_args

from digits.jobs import Phase, Progress

Listener = Callable[[Progress], None]

# The first steps are no measure: until more steps are done, the expected pace counts for
# this number of steps.
_EXPECTED_STEPS = 20
# A phase that takes longer than expected goes on for this share of what it has taken.
_OVERDUE = 0.1
_PHASES: tuple[Phase, ...] = get_args(Phase)


@dataclass(frozen=True)
class Figures:
    """What is measured after a step of the fitting, as `Progress` has it."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    validation_accuracy: float | None

    @property
    def steps_done(self) -> int:
        """Steps done in all epochs."""
        return (self.epoch - 1) * self.steps + self.step

    @property
    def steps_total(self) -> int:
        """Steps of the whole fitting."""
        return self.epochs * self.steps


@dataclass(frozen=True)
class _Step:
    """A step of the fitting, and when the step ended."""

    figures: Figures
    ended: float


@dataclass(frozen=True)
class _State:
    """Where a training is.

    Attributes:
        phase: the phase.
        entered: when the phase began.
        slowness: how many times as long as expected a step took, at least 1. The phases
            after the fitting are expected to be as slow.
        first: while fitting, the first step of this process.
        last: while fitting, the last step of this process.
    """

    phase: Phase
    entered: float
    slowness: float = 1.0
    first: _Step | None = None
    last: _Step | None = None


class Phases:
    """Which phase a training is in.

    The training enters the phases. Any thread may ask how far the training is.

    Args:
        expected: seconds per phase, as `training.fitting.expected` estimates them. A
            phase without a number takes 0 seconds. The fitting needs a number.
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
        """Begin a phase."""
        self._state = _State(phase, time.monotonic(), self._state.slowness)
        self._notify()

    def step(self, figures: Figures) -> None:
        """Record a step of the fitting."""
        step = _Step(figures, time.monotonic())
        first = self._state.first or step
        pace = self._pace(first, step)
        # A GPU makes the steps faster, and no other phase.
        slowness = max(1.0, pace / self._expected_pace(figures))
        self._state = replace(self._state, first=first, last=step, slowness=slowness)
        if figures.step == figures.steps:
            self._notify()

    def now(self) -> Progress:
        """How far the training is.

        `eta_seconds` covers this phase and all phases after it. A phase takes the time
        that is expected of it. Once the fitting has done a step, the remaining steps are
        expected at the pace of the steps done; if that pace is slower than expected, the
        later phases are expected to be as slow. A phase that is overdue goes on for a
        while, so `eta_seconds` never reaches 0 before the end.
        """
        state = self._state
        left = self._left_of_phase(state)
        for phase in _PHASES[_PHASES.index(state.phase) + 1 :]:
            left += state.slowness * self._expected.get(phase, 0.0)
        figures = asdict(state.last.figures) if state.last else {}
        return Progress(
            phase=state.phase, updated=datetime.now(UTC), eta_seconds=left, **figures
        )

    def _left_of_phase(self, state: _State) -> float:
        """Seconds that are left of the phase itself."""
        now = time.monotonic()
        if state.first and state.last:
            figures = state.last.figures
            steps_left = figures.steps_total - figures.steps_done
            seconds_left = self._pace(state.first, state.last) * steps_left
            return max(0.0, seconds_left - (now - state.last.ended))
        elapsed = now - state.entered
        expected = state.slowness * self._expected.get(state.phase, 0.0)
        return max(expected - elapsed, _OVERDUE * elapsed)

    def _pace(self, first: _Step, last: _Step) -> float:
        """Seconds per step."""
        seconds = last.ended - first.ended
        steps = last.figures.steps_done - first.figures.steps_done
        expected_seconds = _EXPECTED_STEPS * self._expected_pace(last.figures)
        return (expected_seconds + seconds) / (_EXPECTED_STEPS + steps)

    def _expected_pace(self, figures: Figures) -> float:
        return self._expected["fitting"] / figures.steps_total

    def _notify(self) -> None:
        progress = self.now()
        for listener in self._listeners:
            listener(progress)
