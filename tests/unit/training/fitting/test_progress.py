"""What is told of a training: its phase, and the time to go."""

import logging
import time
from collections.abc import Callable
from typing import get_args

import pytest

from digits import jobs
from digits.errors import StoreError
from digits.jobs import Phase, Progress
from digits.store import Store
from tests.faults import Fault, FaultProxy
from training.fitting import progress
from training.fitting.progress import Figures, Phases

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
    monkeypatch.setattr(progress, "time", clock)
    return clock


def figures(step: int, epoch: int = 1) -> Figures:
    return Figures(epoch, 2, step, 50, loss=0.5, accuracy=0.8, validation_accuracy=None)


def eta(phases: Phases) -> float:
    left = phases.now().eta_seconds
    assert left is not None
    return left


def test_the_time_to_go_is_that_of_all_phases(clock: Clock) -> None:
    phases = Phases(EXPECTED)
    for number, phase in enumerate(PHASES):
        phases.enter(phase)
        assert eta(phases) == 10 * (len(PHASES) - number)
        clock.now += 4
        assert eta(phases) == 10 * (len(PHASES) - number) - 4


def test_a_phase_that_takes_longer_than_expected_is_not_taken_for_over(
    clock: Clock,
) -> None:
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
    for epoch in (1, 2):
        for step in range(2 if epoch == 1 else 1, 51):
            clock.now += 1
            phases.step(figures(step, epoch))
    # A step of 1 s where 0.1 s were expected: what follows takes about 10 times as long, too.
    assert phases.now().epoch == 2
    assert 8 * 30 < eta(phases) < 10 * 30
    phases.enter("exporting")
    assert 8 * 30 < eta(phases) < 10 * 30


def test_a_fast_fitting_makes_nothing_else_faster(clock: Clock) -> None:
    phases = Phases(EXPECTED)
    phases.enter("fitting")
    for step in range(1, 51):
        clock.now += 0.001
        phases.step(figures(step, 2))
    assert eta(phases) == 30


def test_what_is_told_while_it_fits_is_forgotten_afterwards() -> None:
    phases = Phases(EXPECTED)
    phases.enter("fitting")
    phases.step(figures(3))
    assert (phases.now().phase, phases.now().step, phases.now().loss) == (
        "fitting",
        3,
        0.5,
    )
    phases.enter("exporting")
    assert (phases.now().phase, phases.now().step, phases.now().loss) == (
        "exporting",
        None,
        None,
    )


def test_a_listener_hears_of_phases_and_of_epochs() -> None:
    told: list[Progress] = []
    phases = Phases(EXPECTED)
    phases.listen(told.append)
    phases.enter("fitting")
    phases.step(figures(49))
    phases.step(figures(50))
    phases.enter("exporting")
    assert [(it.phase, it.step) for it in told] == [
        ("fitting", None),
        ("fitting", 50),
        ("exporting", None),
    ]


def test_elsewhere_each_phase_and_each_epoch_is_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    phases = Phases(EXPECTED | {"publishing": 200.0})
    with caplog.at_level(logging.INFO), progress.display(phases):
        phases.enter("fetching")
        phases.enter("fitting")
        phases.step(figures(49))
        phases.step(figures(50))
    assert caplog.messages == [
        "Fetching the examples, 4 min 10 s to go",
        "Fitting the network, 3 min 50 s to go",
        "Epoch 1/2: loss 0.5000, accuracy 0.8000, 3 min 45 s to go",
    ]


def test_a_terminal_shows_the_phase_from_the_beginning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "200")
    phases = Phases(EXPECTED)
    with progress.display(phases):
        assert "Fetching the examples" in capsys.readouterr().err
        phases.enter("fitting")
        phases.step(figures(50))
    assert progress.describe(phases.now()) in capsys.readouterr().err


def phase_of(store: Store) -> str | None:
    found = jobs.load_progress(store, "job")
    return found.phase if found else None


def test_progress_that_cannot_be_written_is_told_of_once_and_written_when_it_can(
    faulty_store: Store,
    faults: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(progress, "REPORT_SECONDS", 0.01)
    written = jobs.save_progress
    failures: list[StoreError] = []

    def count(store: Store, job_id: str, found: Progress) -> None:
        try:
            written(store, job_id, found)
        except StoreError as error:
            failures.append(error)
            raise

    monkeypatch.setattr(jobs, "save_progress", count)
    # What no client tries again.
    rule = faults.add(Fault.PRECONDITION_FAILED, key="progress.json")
    phases = Phases(EXPECTED)
    with progress.published(faulty_store, "job", phases):
        wait_until(lambda: len(failures) > 2)
        phases.enter("fitting")
        faults.clear()
        wait_until(
            lambda: phase_of(faulty_store) == "fitting"
        )  # After the last one of before, perhaps.
    assert rule.hits > 2
    (told,) = [
        record.getMessage()
        for record in caplog.records
        if record.name == progress.__name__
    ]
    assert told.startswith(
        "The progress cannot be written; the training goes on: The object store could not serve"
    )


def test_a_store_that_hangs_does_not_hold_the_training(
    faulty_store: Store, faults: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_LAST_WRITE_SECONDS", 0.1)
    faults.add(Fault.HANG, key="progress.json")
    phases = Phases(EXPECTED)
    started = time.monotonic()
    with progress.published(faulty_store, "job", phases):
        for phase in PHASES:
            phases.enter(phase)
    # The store itself is patient for 10 s.
    assert time.monotonic() - started < 5


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
