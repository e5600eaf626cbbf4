"""Job queues and runners in this process, for tests."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from local.aws_batch.container import Container
from local.aws_batch.job_queue import Job, JobQueue, Overrides, SubmitJob, Variable
from local.aws_batch.runner import Runner
from tests.integration.local.conftest import TRAINING, eventually, plan_training

COMMAND = (sys.executable, "training.py")


def submit(jobs: JobQueue, name: str, **plans: str) -> str:
    """Submit a job, and return its id. The plans steer TRAINING."""
    plan_training(jobs.lock_file.parents[1], name, **plans)
    environment = [Variable(name="DIGITS_JOB_ID", value=name)]
    submission = SubmitJob(
        job_name=name,
        job_queue="local",
        job_definition="training",
        container_overrides=Overrides(environment=environment),
    )
    return jobs.submit(submission).job_id


async def ignore(_: Job) -> None:
    pass


def make_runner(
    folder: Path,
    jobs: JobQueue,
    notify: Callable[[Job], Awaitable[None]] = ignore,
    container: Container | None = None,
    cwd: Path | None = None,
) -> Runner:
    (folder / "training.py").write_text(TRAINING)
    container = container or Container(COMMAND)
    return Runner(jobs, container, cwd or folder, dict(os.environ), notify)


def run_until(condition: Callable[[], bool], *runners: Runner) -> None:
    """Run runners until a condition holds."""

    async def run() -> None:
        tasks = [asyncio.create_task(runner.run()) for runner in runners]
        await asyncio.to_thread(eventually, condition)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(run())


def is_over(jobs: JobQueue, job_id: str) -> bool:
    return load_job(jobs, job_id).is_over


def load_job(jobs: JobQueue, job_id: str) -> Job:
    """A job that must exist."""
    job = jobs.load(job_id)
    assert job is not None
    return job
