"""What people see of a training: its progress in the store, on a terminal or in a log."""

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
from training.fitting.phases import Figures, Phases

PHASES: tuple[Phase, ...] = get_args(Phase)
EXPECTED: dict[Phase, float] = dict.fromkeys(PHASES, 10.0)


def figures(step: int) -> Figures:
    return Figures(
        epoch=1,
        epochs=2,
        step=step,
        steps=50,
        loss=0.5,
        accuracy=0.8,
        validation_accuracy=None,
    )


def test_a_log_has_a_line_per_phase_and_per_epoch(
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


def test_a_terminal_shows_the_phase_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "200")
    phases = Phases(EXPECTED)
    with progress.display(phases):
        assert "Fetching the examples" in capsys.readouterr().err
        phases.enter("fitting")
        phases.step(figures(50))
    assert progress.describe_progress(phases.now()) in capsys.readouterr().err


def phase_in(store: Store) -> str | None:
    stored = jobs.load_progress(store, "job")
    return stored.phase if stored else None


def test_progress_that_cannot_be_written_is_logged_once_and_written_later(
    faulty_store: Store,
    faults: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(progress, "REPORT_SECONDS", 0.01)
    save_progress = jobs.save_progress
    failures: list[StoreError] = []

    def save_and_count(store: Store, job_id: str, current: Progress) -> None:
        try:
            save_progress(store, job_id, current)
        except StoreError as error:
            failures.append(error)
            raise

    monkeypatch.setattr(jobs, "save_progress", save_and_count)
    # A fault that no client retries.
    rule = faults.add(Fault.PRECONDITION_FAILED, key="progress.json")
    phases = Phases(EXPECTED)
    with progress.published(faulty_store, "job", phases):
        wait_until(lambda: len(failures) > 2)
        phases.enter("fitting")
        faults.clear()
        # The first write that succeeds may be of the phase before.
        wait_until(lambda: phase_in(faulty_store) == "fitting")
    assert rule.hits > 2
    records = [record for record in caplog.records if record.name == progress.__name__]
    (record,) = records
    assert record.getMessage().startswith(
        "The progress cannot be written. The training continues. The object store could not"
    )


def test_a_store_that_hangs_does_not_stop_the_training(
    faulty_store: Store, faults: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_LAST_WRITE_SECONDS", 0.1)
    faults.add(Fault.HANG, key="progress.json")
    phases = Phases(EXPECTED)
    started = time.monotonic()
    with progress.published(faulty_store, "job", phases):
        for phase in PHASES:
            phases.enter(phase)
    # The store waits for 10 s.
    assert time.monotonic() - started < 5


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
