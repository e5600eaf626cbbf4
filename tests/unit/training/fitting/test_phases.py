"""The phase of a training, and the remaining seconds."""

from typing import get_args

import pytest

from digits.jobs import Phase, Progress
from training.fitting import phases as phases_module
from training.fitting.phases import Figures, Phases

PHASES: tuple[Phase, ...] = get_args(Phase)
EXPECTED: dict[Phase, float] = dict.fromkeys(PHASES, 10.0)


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(phases_module, "time", clock)
    return clock


def figures(step: int, epoch: int = 1) -> Figures:
    return Figures(
        epoch=epoch,
        epochs=2,
        step=step,
        steps=50,
        loss=0.5,
        accuracy=0.8,
        validation_accuracy=None,
    )


def eta(phases: Phases) -> float:
    left = phases.now().eta_seconds
    assert left is not None
    return left


def test_the_time_to_go_covers_all_phases(clock: Clock) -> None:
    phases = Phases(EXPECTED)
    for number, phase in enumerate(PHASES):
        phases.enter(phase)
        assert eta(phases) == 10 * (len(PHASES) - number)
        clock.now += 4
        assert eta(phases) == 10 * (len(PHASES) - number) - 4


def test_an_overdue_phase_has_time_left(clock: Clock) -> None:
    phases = Phases({"publishing": 1.0})
    phases.enter("publishing")
    clock.now += 60
    assert eta(phases) == pytest.approx(6.0)


def test_fitting_goes_by_its_own_pace(clock: Clock) -> None:
    phases = Phases(EXPECTED)
    phases.enter("fitting")
    clock.now += 30  # The first step builds the graphs, and is no measure.
    phases.step(figures(1))
    assert eta(phases) == pytest.approx(30 + 9.9)
    for step in range(2, 51):
        clock.now += 1
        phases.step(figures(step, epoch=1))
    for step in range(1, 51):
        clock.now += 1
        phases.step(figures(step, epoch=2))
    # A step takes 1 s instead of 0.1 s, so the later phases take about 10 times as long.
    assert phases.now().epoch == 2
    assert 8 * 30 < eta(phases) < 10 * 30
    phases.enter("exporting")
    assert 8 * 30 < eta(phases) < 10 * 30


def test_a_fast_fitting_makes_no_other_phase_faster(clock: Clock) -> None:
    phases = Phases(EXPECTED)
    phases.enter("fitting")
    for step in range(1, 51):
        clock.now += 0.001
        phases.step(figures(step, epoch=2))
    assert eta(phases) == 30


def test_only_the_fitting_has_figures() -> None:
    phases = Phases(EXPECTED)
    phases.enter("fitting")
    phases.step(figures(3))
    fitting = phases.now()
    assert (fitting.phase, fitting.step, fitting.loss) == ("fitting", 3, 0.5)
    phases.enter("exporting")
    exporting = phases.now()
    assert (exporting.phase, exporting.step, exporting.loss) == (
        "exporting",
        None,
        None,
    )


def test_a_listener_is_called_when_a_phase_begins_or_an_epoch_ends() -> None:
    heard: list[Progress] = []
    phases = Phases(EXPECTED)
    phases.listen(heard.append)
    phases.enter("fitting")
    phases.step(figures(49))
    phases.step(figures(50))
    phases.enter("exporting")
    assert [(progress.phase, progress.step) for progress in heard] == [
        ("fitting", None),
        ("fitting", 50),
        ("exporting", None),
    ]
