"""The runner in this process, where its clock can be set."""

import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from local.aws_batch import container, runner
from local.aws_batch.container import Container
from local.aws_batch.job_queue import Job, JobQueue, Overrides, SubmitJob, Variable
from local.aws_batch.process import Process
from local.aws_batch.runner import Runner
from tests.integration.local.conftest import TRAINING, eventually, plan

COMMAND = (sys.executable, "training.py")


def submit(jobs: JobQueue, name: str, **how: str) -> str:
    plan(jobs.lock_file.parents[1], name, **how)
    environment = [Variable(name="DIGITS_JOB_ID", value=name)]
    submission = SubmitJob(
        job_name=name,
        job_queue="local",
        job_definition="training",
        container_overrides=Overrides(environment=environment),
    )
    return jobs.submit(submission).job_id


@pytest.fixture(autouse=True)
def _without_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "FIRST_PAUSE_SECONDS", 0.05)


async def ignore(_: Job) -> None:
    pass


def make(
    folder: Path,
    jobs: JobQueue,
    notify: Callable[[Job], Awaitable[None]] = ignore,
    runs_in: Container | None = None,
    cwd: Path | None = None,
) -> Runner:
    (folder / "training.py").write_text(TRAINING)
    return Runner(
        jobs, runs_in or Container(COMMAND), cwd or folder, dict(os.environ), notify
    )


def run_until(condition: Callable[[], bool], *runners: Runner) -> None:
    async def run() -> None:
        tasks = [asyncio.create_task(one.run()) for one in runners]
        await asyncio.to_thread(eventually, condition)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(run())


def is_over(jobs: JobQueue, job_id: str) -> bool:
    job = jobs.load(job_id)
    return job is not None and job.is_over


def test_a_training_that_does_not_hear_sigterm_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "GRACE_SECONDS", 0.5)
    jobs = JobQueue(tmp_path / "jobs")
    job_id = submit(jobs, "deaf", SECONDS="60", DEAF="1")
    mine = make(tmp_path, jobs)
    run_until((tmp_path / "runs" / "deaf").exists, mine)
    jobs.terminate(job_id, "Enough")
    run_until(lambda: is_over(jobs, job_id), mine)
    job = jobs.load(job_id)
    assert job is not None
    assert (job.status, job.status_reason) == ("FAILED", "Enough")
    assert not Process(jobs.folder(job_id)).is_alive()


def test_of_two_gateways_on_one_store_one_runs_the_jobs(tmp_path: Path) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    ids = [submit(jobs, f"job{n}", SECONDS="0.3") for n in range(2)]
    runners = [make(tmp_path, JobQueue(tmp_path / "jobs")) for _ in range(2)]
    run_until(lambda: all(is_over(jobs, job_id) for job_id in ids), *runners)
    assert [
        len((tmp_path / "runs" / f"job{n}").read_text().split()) for n in range(2)
    ] == [1, 1]


def test_a_gateway_takes_over_when_the_runner_ends(tmp_path: Path) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    first, second = make(tmp_path, jobs), make(tmp_path, jobs)
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
    run_until(lambda: is_over(jobs, job_id), make(tmp_path, jobs))
    assert jobs.load(damaged) is None


def test_a_gateway_killed_before_it_started_the_process_leaves_a_job_that_is_started(
    tmp_path: Path,
) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    job_id = submit(jobs, "announced")
    job = jobs.load(job_id)
    assert job is not None
    job.status = "STARTING"
    jobs.save(job)
    run_until(lambda: is_over(jobs, job_id), make(tmp_path, jobs))
    assert (tmp_path / "runs" / "announced").exists()


def test_the_exit_of_an_earlier_attempt_is_not_taken_for_the_next_ones(
    tmp_path: Path,
) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    job_id = submit(jobs, "again", EXIT="7 0")
    heard: list[str] = []

    async def die_at_the_second_start(job: Job) -> None:
        heard.append(job.status)
        if heard.count("STARTING") == 2:
            raise SystemExit

    killed = make(tmp_path, jobs, die_at_the_second_start)
    with pytest.raises(SystemExit):
        asyncio.run(killed.run())
    run_until(lambda: is_over(jobs, job_id), make(tmp_path, jobs))
    job = jobs.load(job_id)
    assert job is not None
    assert job.status == "SUCCEEDED"
    assert [attempt.container.exit_code for attempt in job.attempts] == [7]


def test_deleting_the_folder_ends_nothing(tmp_path: Path) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    mine = make(tmp_path, jobs)
    run_until(jobs.lock_file.exists, mine)
    shutil.rmtree(tmp_path / "jobs")
    job_id = submit(jobs, "after")
    run_until(lambda: is_over(jobs, job_id), mine)


def test_a_folder_that_cannot_be_used_is_tried_again_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "jobs"
    folder.write_text("no folder")
    jobs = JobQueue(folder)
    mine = make(tmp_path, jobs)

    async def run() -> str:
        running = asyncio.create_task(mine.run())
        await asyncio.sleep(1.5)  # Several tries.
        assert not running.done()
        folder.unlink()
        job_id = submit(jobs, "mended")
        await asyncio.to_thread(eventually, lambda: is_over(jobs, job_id))
        running.cancel()
        await asyncio.wait([running])
        return job_id

    job = jobs.load(asyncio.run(run()))
    assert job is not None
    assert job.status == "SUCCEEDED"
    assert (
        len(
            [record for record in caplog.records if "Jobs cannot run" in record.message]
        )
        == 1
    )


def test_attempts_come_after_growing_pauses_and_others_run_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "FIRST_PAUSE_SECONDS", 0.5)
    jobs = JobQueue(tmp_path / "jobs")
    failing, other = submit(jobs, "failing", EXIT="75 75 75 0"), submit(jobs, "other")
    run_until(
        lambda: is_over(jobs, failing) and is_over(jobs, other), make(tmp_path, jobs)
    )
    job, meanwhile = jobs.load(failing), jobs.load(other)
    assert job is not None
    assert meanwhile is not None
    starts = [
        *(attempt.started_at or 0 for attempt in job.attempts),
        job.started_at or 0,
    ]
    pauses = [
        start - attempt.stopped_at
        for start, attempt in zip(starts[1:], job.attempts, strict=True)
    ]
    assert pauses[0] >= 500
    assert pauses[1] >= 1000
    assert pauses[2] >= 2000
    assert (meanwhile.stopped_at or 0) <= starts[2]


def test_a_job_that_cannot_be_started_is_tried_again_and_then_fails(
    tmp_path: Path,
) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    job_id = submit(jobs, "nowhere")
    run_until(
        lambda: is_over(jobs, job_id), make(tmp_path, jobs, cwd=tmp_path / "nowhere")
    )
    job = jobs.load(job_id)
    assert job is not None
    assert (job.status, len(job.attempts)) == ("FAILED", 5)
    assert "CannotStartContainerError: " in (job.status_reason or "")


def test_a_machine_that_ended_a_long_training_is_no_reason_to_give_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LONG_SECONDS", 0)
    jobs = JobQueue(tmp_path / "jobs")
    job_id = submit(jobs, "long", EXIT="lost " * 7 + "0", SECONDS="0.05")
    run_until(lambda: is_over(jobs, job_id), make(tmp_path, jobs))
    job = jobs.load(job_id)
    assert job is not None
    assert (job.status, job.attempts) == ("SUCCEEDED", [])


@pytest.fixture
def missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    """A container to be installed. That takes until there is a file `ready`, and fails if there is one `broken`."""
    monkeypatch.setattr(container, "ROOT", tmp_path)
    monkeypatch.setattr(container, "LOG", tmp_path / "installation.log")
    monkeypatch.setattr(runner, "POLL_SECONDS", 0.02)
    script = (
        'echo x >>begun; echo "  12 of 1,573 MB"; until test -e ready; do sleep 0.02; done; '
        "test ! -e broken || { echo Free some space.; exit 1; }"
    )
    return Container(COMMAND, ("/bin/sh", "-c", script))


def status(jobs: JobQueue, job_id: str) -> tuple[str, str | None]:
    job = jobs.load(job_id)
    assert job is not None
    return job.status, job.status_reason


STARTING = ("STARTING", "Installing TensorFlow: 12 of 1,573 MB")


def test_a_first_training_waits_for_what_it_runs_in(
    tmp_path: Path, missing: Container
) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    first = submit(jobs, "first")
    heard: list[str] = []

    async def hear(job: Job) -> None:
        heard.append(f"{job.job_name} {job.status}")

    mine = make(tmp_path, jobs, hear, missing)
    run_until(lambda: status(jobs, first) == STARTING, mine)
    second = submit(jobs, "second")
    (tmp_path / "ready").touch()
    run_until(lambda: is_over(jobs, first) and is_over(jobs, second), mine)
    assert (tmp_path / "begun").read_text() == "x\n"
    assert heard.count("first STARTING") == 1
    assert [status(jobs, job_id)[0] for job_id in (first, second)] == [
        "SUCCEEDED",
        "SUCCEEDED",
    ]


def test_an_installation_that_fails_fails_the_training_and_is_tried_again(
    tmp_path: Path, missing: Container
) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    (tmp_path / "broken").touch()
    (tmp_path / "ready").touch()
    mine = make(tmp_path, jobs, runs_in=missing)
    failed = submit(jobs, "failed")
    run_until(lambda: is_over(jobs, failed), mine)
    reason = f"TensorFlow cannot be installed. Free some space. The whole log is {tmp_path}/installation.log."
    assert status(jobs, failed) == ("FAILED", reason)
    (tmp_path / "broken").unlink()
    later = submit(jobs, "later")
    run_until(lambda: is_over(jobs, later), mine)
    assert status(jobs, later)[0] == "SUCCEEDED"


def test_a_training_is_cancelled_while_tensorflow_is_installed(
    tmp_path: Path, missing: Container
) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    mine = make(tmp_path, jobs, runs_in=missing)
    job_id = submit(jobs, "cancelled")
    run_until(lambda: status(jobs, job_id) == STARTING, mine)
    jobs.terminate(job_id, "Enough")
    run_until(lambda: is_over(jobs, job_id), mine)
    assert status(jobs, job_id) == ("FAILED", "Enough")
    (tmp_path / "ready").touch()
    later = submit(jobs, "later")
    run_until(lambda: is_over(jobs, later), mine)
    assert (tmp_path / "begun").read_text() == "x\n"


def test_the_next_runner_goes_on_with_a_training_that_was_starting(
    tmp_path: Path, missing: Container
) -> None:
    jobs = JobQueue(tmp_path / "jobs")
    job_id = submit(jobs, "job")
    run_until(
        lambda: status(jobs, job_id) == STARTING, make(tmp_path, jobs, runs_in=missing)
    )
    (tmp_path / "ready").touch()
    run_until(
        lambda: is_over(jobs, job_id), make(tmp_path, jobs, runs_in=replace(missing))
    )
    eventually(lambda: not missing.pull())
    job = jobs.load(job_id)
    assert job is not None
    assert (job.status, job.attempts) == ("SUCCEEDED", [])
