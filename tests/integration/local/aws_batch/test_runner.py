"""The runner in this process, with short pauses."""

import asyncio
import shutil
from pathlib import Path

import pytest

from local.aws_batch import runner
from local.aws_batch.job_queue import Job, JobQueue
from local.aws_batch.process import Process
from tests.integration.local.aws_batch.runners import (
    is_over,
    load_job,
    make_runner,
    run_until,
    submit,
)
from tests.integration.local.conftest import eventually


@pytest.fixture(autouse=True)
def _without_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "FIRST_PAUSE_SECONDS", 0.05)


def test_a_training_that_ignores_sigterm_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "GRACE_SECONDS", 0.5)
    jobs = JobQueue(tmp_path / "jobs")
    job_id = submit(jobs, "deaf", SECONDS="60", DEAF="1")
    own_runner = make_runner(tmp_path, jobs)
    run_until((tmp_path / "runs" / "deaf").exists, own_runner)
    jobs.terminate(job_id, "Enough")
    run_until(lambda: is_over(jobs, job_id), own_runner)
    job = load_job(jobs, job_id)
    assert (job.status, job.status_reason) == ("FAILED", "Enough")
    assert not Process(jobs.folder(job_id)).is_alive()


def test_one_of_two_runners_on_a_folder_runs_the_jobs(tmp_path: Path) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    ids = [submit(jobs, f"job{n}", SECONDS="0.3") for n in range(2)]
    runners = [make_runner(tmp_path, JobQueue(tmp_path / "jobs")) for _ in range(2)]
    run_until(lambda: all(is_over(jobs, job_id) for job_id in ids), *runners)
    for name in ("job0", "job1"):
        (started,) = (tmp_path / "runs" / name).read_text().split()
        assert started


def test_a_second_runner_takes_over_when_the_first_ends(tmp_path: Path) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    first, second = make_runner(tmp_path, jobs), make_runner(tmp_path, jobs)
    run_until(jobs.lock_file.exists, first, second)
    job_id = submit(jobs, "later")
    run_until(lambda: is_over(jobs, job_id), second)


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"\xff"])
def test_a_damaged_record_does_not_stop_the_queue(
    tmp_path: Path, content: bytes
) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    damaged = submit(jobs, "damaged")
    (jobs.folder(damaged) / "job.json").write_bytes(content)
    job_id = submit(jobs, "sound")
    run_until(lambda: is_over(jobs, job_id), make_runner(tmp_path, jobs))
    assert jobs.load(damaged) is None


def test_a_job_without_a_process_is_started_by_the_next_runner(
    tmp_path: Path,
) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    job_id = submit(jobs, "announced")
    job = load_job(jobs, job_id)
    job.status = "STARTING"
    jobs.save(job)
    run_until(lambda: is_over(jobs, job_id), make_runner(tmp_path, jobs))
    assert (tmp_path / "runs" / "announced").exists()


def test_the_exit_status_of_an_attempt_does_not_count_for_the_next_attempt(
    tmp_path: Path,
) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    job_id = submit(jobs, "again", EXIT="7 0")
    statuses: list[str] = []

    async def die_at_the_second_start(job: Job) -> None:
        statuses.append(job.status)
        if statuses.count("STARTING") == 2:
            raise SystemExit

    killed = make_runner(tmp_path, jobs, die_at_the_second_start)
    with pytest.raises(SystemExit):
        asyncio.run(killed.run())
    run_until(lambda: is_over(jobs, job_id), make_runner(tmp_path, jobs))
    job = load_job(jobs, job_id)
    assert job.status == "SUCCEEDED"
    assert [attempt.container.exit_code for attempt in job.attempts] == [7]


def test_jobs_run_after_the_folder_is_deleted(tmp_path: Path) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    own_runner = make_runner(tmp_path, jobs)
    run_until(jobs.lock_file.exists, own_runner)
    shutil.rmtree(tmp_path / "jobs")
    job_id = submit(jobs, "after")
    run_until(lambda: is_over(jobs, job_id), own_runner)


def test_an_unusable_folder_is_tried_again_after_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "jobs"
    folder.write_text("no folder")
    jobs = JobQueue(folder)
    own_runner = make_runner(tmp_path, jobs)

    async def run() -> str:
        running = asyncio.create_task(own_runner.run())
        await asyncio.sleep(1.5)  # Several tries.
        assert not running.done()
        folder.unlink()
        job_id = submit(jobs, "mended")
        await asyncio.to_thread(eventually, lambda: is_over(jobs, job_id))
        running.cancel()
        await asyncio.wait([running])
        return job_id

    job = load_job(jobs, asyncio.run(run()))
    assert job.status == "SUCCEEDED"
    assert caplog.text.count("Jobs cannot run") == 1


def test_pauses_between_attempts_grow_and_other_jobs_run_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "FIRST_PAUSE_SECONDS", 0.5)
    jobs = JobQueue(tmp_path / "jobs")
    failing = submit(jobs, "failing", EXIT="75 75 75 0")
    other = submit(jobs, "other")
    own_runner = make_runner(tmp_path, jobs)
    run_until(lambda: is_over(jobs, failing) and is_over(jobs, other), own_runner)
    job = load_job(jobs, failing)
    first, second, third = job.attempts
    assert (second.started_at or 0) - first.stopped_at >= 500
    assert (third.started_at or 0) - second.stopped_at >= 1000
    assert (job.started_at or 0) - third.stopped_at >= 2000
    other_end = load_job(jobs, other).stopped_at or 0
    assert other_end <= (third.started_at or 0)


def test_a_job_that_cannot_be_started_fails_after_the_last_attempt(
    tmp_path: Path,
) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    job_id = submit(jobs, "nowhere")
    own_runner = make_runner(tmp_path, jobs, cwd=tmp_path / "nowhere")
    run_until(lambda: is_over(jobs, job_id), own_runner)
    job = load_job(jobs, job_id)
    assert (job.status, len(job.attempts)) == ("FAILED", 5)
    assert "CannotStartContainerError: " in (job.status_reason or "")


def test_attempts_of_a_long_training_that_its_machine_ended_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LONG_SECONDS", 0)
    jobs = JobQueue(tmp_path / "jobs")
    job_id = submit(jobs, "long", EXIT="lost " * 7 + "0", SECONDS="0.05")
    run_until(lambda: is_over(jobs, job_id), make_runner(tmp_path, jobs))
    job = load_job(jobs, job_id)
    assert (job.status, job.attempts) == ("SUCCEEDED", [])
