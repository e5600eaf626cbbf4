"""Runs training jobs one at a time, with the retries and state changes of AWS Batch."""

import asyncio
import fcntl
import logging
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from local.aws_batch.container import Container, PullError
from local.aws_batch.job_queue import (
    Attempt,
    Exit,
    Job,
    JobQueue,
    Status,
    now_milliseconds,
)
from local.aws_batch.process import Process
from local.backoff import exponential_delay

# After a temporary fault a training continues from its checkpoint. The job definition in
# template.yaml has the same limit.
MAX_ATTEMPTS = 5
# Batch does not retry a crash. Here a retry is worth while: a machine short of memory
# kills the training alone.
MAX_CRASHES = 2
# EX_TEMPFAIL: the exit status of a training whose object store did not answer.
STORE_UNAVAILABLE = 75
# A training that ran this long has made progress. When the machine then ends the
# training, the attempt does not count.
LONG_SECONDS = 600
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 300.0
# The advice after the last attempt, by the exit status of the training.
ADVICE = {
    None: "Free disk space and memory, then train again.",
    STORE_UNAVAILABLE: "The object store did not answer. "
    "Check that the store can be reached and has space, then train again.",
}
# The reasons in Batch's words.
EXITED, TERMINATED = "Essential container in task exited", "Host terminated"
# From SIGTERM to SIGKILL. Batch waits 30 s, but a user at the machine waits less gladly.
GRACE_SECONDS = 10.0
POLL_SECONDS = 0.2

logger = logging.getLogger(__name__)


class Runner:
    """Takes every job from SUBMITTED to its end.

    Each step depends only on the files and on the processes that are alive. So the next
    runner continues where a killed runner stopped, and follows a training that is alive
    instead of starting a second.

    Args:
        jobs: the queue.
        container: the environment of trainings.
        cwd: the working directory of trainings.
        environment: variables for all trainings. A job adds its own.
        notify: is called after every change of a status.
    """

    def __init__(
        self,
        jobs: JobQueue,
        container: Container,
        cwd: Path,
        environment: Mapping[str, str],
        notify: Callable[[Job], Awaitable[None]],
    ) -> None:
        self._jobs = jobs
        self._container = container
        self._cwd = cwd
        self._environment = environment
        self._notify = notify
        self._ending: dict[str, float] = {}
        self._not_before: dict[str, float] = {}
        self._child: subprocess.Popen[bytes] | None = None

    async def run(self) -> None:
        """Run jobs until cancelled. Running trainings continue after that.

        Of several servers on the same folder one server runs the jobs, and another
        takes over after its end. A folder that cannot be written, as on a full disk, is
        tried again forever.
        """
        failures = 0
        while True:
            try:
                with self._jobs.open_lock() as lock:
                    while True:
                        if _holds(lock.fileno()):
                            await self.step()
                        failures = 0
                        await asyncio.sleep(POLL_SECONDS)
            except OSError as error:
                failures += 1
                if failures == 1:
                    logger.warning("Jobs cannot run until this is corrected: %s", error)
            await asyncio.sleep(
                exponential_delay(failures, POLL_SECONDS, LONGEST_PAUSE_SECONDS)
            )

    async def step(self) -> None:
        """Take each job as far as possible now."""
        if self._child:
            self._child.poll()  # Reaps the process.
        jobs = self._jobs.unfinished()
        for job in jobs:
            await self._advance(job)
        is_idle = not any(_is_active(job) for job in jobs)
        runnable = filter(self._is_due, jobs)
        first = next(runnable, None)
        if is_idle and first:
            await self._start(first)

    async def _advance(self, job: Job) -> None:
        if job.status == "SUBMITTED":
            await self._change(job, "RUNNABLE")
        if _is_active(job):
            await self._follow(job)
            return
        termination = self._jobs.termination(job.job_id)
        if termination is not None:
            await self._change(job, "FAILED", termination)

    async def _start(self, job: Job) -> None:
        # Once STARTING is on disk, an exit status must be that of this attempt.
        self._process(job).forget()
        await self._change(job, "STARTING")
        await self._launch(job)

    async def _launch(self, job: Job) -> None:
        """Take a job from STARTING to RUNNING, once TensorFlow is installed."""
        try:
            progress = self._container.pull()
        except PullError as error:
            await self._change(job, "FAILED", error.detail)
            return
        if progress:
            self._set_reason(job, progress)
            return
        process = self._process(job)
        environment = dict(self._environment)
        for variable in job.container.environment:
            environment[variable.name] = variable.value
        command = self._container.command
        try:
            self._child = process.start(command, self._cwd, environment)
        except OSError as error:
            await self._retry(job, None, f"CannotStartContainerError: {error}")
        else:
            await self._change(job, "RUNNING")

    async def _follow(self, job: Job) -> None:
        process = self._process(job)
        termination = self._jobs.termination(job.job_id)
        if process.is_alive():
            if job.status == "STARTING":  # The server was killed after `start`.
                await self._change(job, "RUNNING")
            if termination is not None:
                self._end(job, process)
            return
        exit_code = process.exit_code()
        has_ended = exit_code is not None or termination is not None
        if job.status == "STARTING" and not has_ended:
            process.forget()
            await self._launch(job)
        else:
            process.remove_temporary()
            await self._conclude(job, exit_code, termination)

    async def _conclude(
        self, job: Job, exit_code: int | None, termination: str | None
    ) -> None:
        if exit_code == 0:
            await self._change(job, "SUCCEEDED", EXITED)
        elif termination is not None:
            await self._change(job, "FAILED", termination)
        elif exit_code is not None:
            await self._retry(job, exit_code, EXITED)
        elif _ran_long(job):
            await self._change(job, "RUNNABLE", TERMINATED)
        else:
            await self._retry(job, None, TERMINATED)

    async def _retry(self, job: Job, exit_code: int | None, reason: str) -> None:
        attempt = Attempt(
            started_at=job.started_at,
            stopped_at=now_milliseconds(),
            container=Exit(exit_code=exit_code),
        )
        job.attempts.append(attempt)
        attempts = len(job.attempts)
        if _has_attempts_left(job.attempts):
            seconds = exponential_delay(
                attempts, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
            )
            self._not_before[job.job_id] = time.monotonic() + seconds
            await self._change(job, "RUNNABLE", reason)
            return
        advice = ADVICE.get(exit_code)
        if advice:
            reason = f"{advice} ({reason}, {attempts} attempts)"
        await self._change(job, "FAILED", reason)

    def _is_due(self, job: Job) -> bool:
        not_before = self._not_before.get(job.job_id, 0.0)
        return job.status == "RUNNABLE" and not_before <= time.monotonic()

    def _end(self, job: Job, process: Process) -> None:
        signalled = self._ending.get(job.job_id)
        if signalled is None:
            if process.send_signal(signal.SIGTERM):
                self._ending[job.job_id] = time.monotonic()
        elif time.monotonic() - signalled > GRACE_SECONDS:
            process.send_signal(signal.SIGKILL)

    async def _change(
        self, job: Job, status: Status, reason: str | None = None
    ) -> None:
        job.status = status
        job.status_reason = reason
        if status == "STARTING":
            job.started_at = None
        elif status == "RUNNING":
            job.started_at = now_milliseconds()
        elif job.is_over:
            job.stopped_at = now_milliseconds()
        self._jobs.save(job)
        await self._notify(job)

    def _set_reason(self, job: Job, reason: str) -> None:
        """Set the reason without a change of the status."""
        if job.status_reason != reason:
            job.status_reason = reason
            self._jobs.save(job)

    def _process(self, job: Job) -> Process:
        return Process(self._jobs.folder(job.job_id))


def _is_active(job: Job) -> bool:
    return job.status in ("STARTING", "RUNNING")


def _ran_long(job: Job) -> bool:
    if job.started_at is None:
        return False
    return now_milliseconds() - job.started_at > LONG_SECONDS * 1000


def _has_attempts_left(attempts: list[Attempt]) -> bool:
    temporary = (None, STORE_UNAVAILABLE)
    codes = [attempt.container.exit_code for attempt in attempts]
    crashes = [code for code in codes if code not in temporary]
    return len(attempts) < MAX_ATTEMPTS and len(crashes) < MAX_CRASHES


def _holds(lock: int) -> bool:
    """Take the lock, and return whether this process holds the lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
