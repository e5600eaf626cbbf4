"""Trainings wait for the installation of TensorFlow."""

from dataclasses import replace
from pathlib import Path

import pytest

from local.aws_batch import container, runner
from local.aws_batch.container import Container
from local.aws_batch.job_queue import Job, JobQueue
from tests.integration.local.aws_batch.runners import (
    COMMAND,
    is_over,
    load_job,
    make_runner,
    run_until,
    submit,
)
from tests.integration.local.conftest import eventually

STARTING = ("STARTING", "Installing TensorFlow: 12 of 1,573 MB")


@pytest.fixture
def missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    """An installation that lasts until there is a file `ready`, and fails with a file `broken`."""
    monkeypatch.setattr(container, "ROOT", tmp_path)
    monkeypatch.setattr(container, "LOG", tmp_path / "installation.log")
    monkeypatch.setattr(runner, "POLL_SECONDS", 0.02)
    script = (
        'echo x >>begun; echo "  12 of 1,573 MB"; '
        "until test -e ready; do sleep 0.02; done; "
        "test ! -e broken || { echo Free some space.; exit 1; }"
    )
    return Container(COMMAND, ("/bin/sh", "-c", script))


def status(jobs: JobQueue, job_id: str) -> tuple[str, str | None]:
    job = load_job(jobs, job_id)
    return job.status, job.status_reason


def test_a_first_training_waits_for_the_installation(
    tmp_path: Path, missing: Container
) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    first = submit(jobs, "first")
    changes: list[str] = []

    async def record(job: Job) -> None:
        changes.append(f"{job.job_name} {job.status}")

    own_runner = make_runner(tmp_path, jobs, record, missing)
    run_until(lambda: status(jobs, first) == STARTING, own_runner)
    second = submit(jobs, "second")
    (tmp_path / "ready").touch()
    run_until(lambda: is_over(jobs, first) and is_over(jobs, second), own_runner)
    assert (tmp_path / "begun").read_text() == "x\n"
    assert changes.count("first STARTING") == 1
    assert load_job(jobs, first).status == "SUCCEEDED"
    assert load_job(jobs, second).status == "SUCCEEDED"


def test_a_failed_installation_fails_the_training_and_is_repeated_for_the_next(
    tmp_path: Path, missing: Container
) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    (tmp_path / "broken").touch()
    (tmp_path / "ready").touch()
    own_runner = make_runner(tmp_path, jobs, container=missing)
    failed = submit(jobs, "failed")
    run_until(lambda: is_over(jobs, failed), own_runner)
    log = tmp_path / "installation.log"
    reason = f"TensorFlow cannot be installed. Free some space. The whole log is {log}."
    assert status(jobs, failed) == ("FAILED", reason)
    (tmp_path / "broken").unlink()
    later = submit(jobs, "later")
    run_until(lambda: is_over(jobs, later), own_runner)
    assert status(jobs, later)[0] == "SUCCEEDED"


def test_a_training_is_cancelled_while_tensorflow_is_installed(
    tmp_path: Path, missing: Container
) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    own_runner = make_runner(tmp_path, jobs, container=missing)
    job_id = submit(jobs, "cancelled")
    run_until(lambda: status(jobs, job_id) == STARTING, own_runner)
    jobs.terminate(job_id, "Enough")
    run_until(lambda: is_over(jobs, job_id), own_runner)
    assert status(jobs, job_id) == ("FAILED", "Enough")
    (tmp_path / "ready").touch()
    later = submit(jobs, "later")
    run_until(lambda: is_over(jobs, later), own_runner)
    assert (tmp_path / "begun").read_text() == "x\n"


def test_the_next_runner_continues_a_training_that_was_starting(
    tmp_path: Path, missing: Container
) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    job_id = submit(jobs, "job")
    first = make_runner(tmp_path, jobs, container=missing)
    run_until(lambda: status(jobs, job_id) == STARTING, first)
    (tmp_path / "ready").touch()
    second = make_runner(tmp_path, jobs, container=replace(missing))
    run_until(lambda: is_over(jobs, job_id), second)
    eventually(lambda: not missing.pull())
    job = load_job(jobs, job_id)
    assert (job.status, job.attempts) == ("SUCCEEDED", [])
