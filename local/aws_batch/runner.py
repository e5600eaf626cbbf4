"""Runs training jobs, one at a time, as AWS Batch would: tried again, ended on request, their changes announced."""

import asyncio
import fcntl
import logging
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from local.aws_batch.container import Container, PullError
from local.aws_batch.job_queue import Attempt, Exit, Job, JobQueue, Status, now
from local.aws_batch.process import Process
from local.backoff import exponential_delay

# A training goes on from its checkpoint after a fault that passes. The job definition
# has the same rule.
MAX_ATTEMPTS = 5
# Batch does not try a crash again, but here a machine that is short of memory kills the
# training alone.
MAX_CRASHES = 2
# What a training exits with when the object store did not answer: EX_TEMPFAIL.
STORE_UNAVAILABLE = 75
# A machine that ended a training after this long is no reason to give the job up: the
# training had got on.
LONG_SECONDS = 600
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 300.0
# What to do after the last attempt, by how that ended.
ADVICE = {
    None: "Free disk space and memory, then train again.",
    STORE_UNAVAILABLE: "The object store did not answer. See that it can be reached and is not full, then train again.",
}
EXITED, TERMINATED = "Essential container in task exited", "Host terminated"
# Batch gives a container 30 s after SIGTERM; one's own machine may be less patient.
GRACE_SECONDS = 10.0
POLL_SECONDS = 0.2

logger = logging.getLogger(__name__)


class Runner:
    """Takes every job from SUBMITTED to its end.

    It remembers nothing that matters: each step goes by what is on disk and by which
        processes are alive. So the next runner goes on where a killed one stopped, and
        a training that is alive is followed rather than started again.

    Args:
        jobs: the queue.
        container: what a job runs, with the job's own environment variables.
        cwd: where.
        environment: the variables that all jobs get.
        notify: hears of every change of status.
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
        """Run jobs until cancelled. Processes that run then go on.

        Of several gateways on the same folder one runs the jobs; another takes over
        when it ends. A folder that cannot be written, as on a full disk, is tried again
        for as long as it takes.
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
                    logger.warning("Jobs cannot be run until this is mended: %s", error)
            await asyncio.sleep(
                exponential_delay(failures, POLL_SECONDS, LONGEST_PAUSE_SECONDS)
            )

    async def step(self) -> None:
        """Take each job as far as it goes now."""
        if self._child:
            self._child.poll()  # Reaps it.
        jobs = self._jobs.unfinished()
        for job in jobs:
            if job.status == "SUBMITTED":
                await self._change(job, "RUNNABLE")
            if (
                job.status == "RUNNABLE"
                and (reason := self._jobs.termination(job.job_id)) is not None
            ):
                await self._change(job, "FAILED", reason)
            elif job.status in ("STARTING", "RUNNING"):
                await self._follow(job)
        runnable = [
            job for job in jobs if job.status == "RUNNABLE" and self._is_due(job)
        ]
        if runnable and not any(job.status in ("STARTING", "RUNNING") for job in jobs):
            await self._start(runnable[0])

    async def _start(self, job: Job) -> None:
        self._process(
            job
        ).forget()  # Before STARTING is on disk: from then on an exit status is this attempt's.
        await self._change(job, "STARTING")
        await self._launch(job)

    async def _launch(self, job: Job) -> None:
        """Take a job from STARTING to RUNNING, once there is what it runs in."""
        try:
            pending = self._container.pull()
        except PullError as error:
            await self._change(job, "FAILED", error.detail)
            return
        if pending:
            self._tell(job, pending)
            return
        process = self._process(job)
        variables: dict[str, str] = {
            variable.name: variable.value for variable in job.container.environment
        }
        try:
            self._child = process.start(
                self._container.command, self._cwd, {**self._environment, **variables}
            )
        except OSError as error:
            await self._retry(job, None, f"CannotStartContainerError: {error}")
        else:
            await self._change(job, "RUNNING")

    async def _follow(self, job: Job) -> None:
        process = self._process(job)
        termination = self._jobs.termination(job.job_id)
        if process.is_alive():
            if job.status == "STARTING":  # The gateway that started it came no further.
                await self._change(job, "RUNNING")
            if termination is not None:
                self._end(job, process)
        elif (
            job.status == "STARTING"
            and process.exit_code() is None
            and termination is None
        ):
            process.forget()
            await self._launch(job)
        else:
            process.remove_temporary()
            await self._conclude(job, process.exit_code(), termination)

    async def _conclude(
        self, job: Job, exit_code: int | None, termination: str | None
    ) -> None:
        if exit_code == 0:
            await self._change(job, "SUCCEEDED", EXITED)
        elif termination is not None:
            await self._change(job, "FAILED", termination)
        elif (
            exit_code is None
            and job.started_at
            and now() - job.started_at > LONG_SECONDS * 1000
        ):
            await self._change(job, "RUNNABLE", TERMINATED)
        else:
            await self._retry(
                job, exit_code, TERMINATED if exit_code is None else EXITED
            )

    async def _retry(self, job: Job, exit_code: int | None, reason: str) -> None:
        attempt = Attempt(
            started_at=job.started_at,
            stopped_at=now(),
            container=Exit(exit_code=exit_code),
        )
        job.attempts.append(attempt)
        if _is_worth_another(job.attempts):
            seconds = exponential_delay(
                len(job.attempts), FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
            )
            self._not_before[job.job_id] = time.monotonic() + seconds
            await self._change(job, "RUNNABLE", reason)
        else:
            await self._change(job, "FAILED", _advise(reason, job.attempts))

    def _is_due(self, job: Job) -> bool:
        return self._not_before.get(job.job_id, 0.0) <= time.monotonic()

    def _end(self, job: Job, process: Process) -> None:
        asked = self._ending.get(job.job_id)
        if asked is None:
            if process.send(signal.SIGTERM):
                self._ending[job.job_id] = time.monotonic()
        elif time.monotonic() - asked > GRACE_SECONDS:
            process.send(signal.SIGKILL)

    async def _change(
        self, job: Job, status: Status, reason: str | None = None
    ) -> None:
        job.status = status
        job.status_reason = reason
        if status in ("STARTING", "RUNNING"):
            job.started_at = now() if status == "RUNNING" else None
        elif job.is_over:
            job.stopped_at = now()
        self._jobs.save(job)
        await self._notify(job)

    def _tell(self, job: Job, reason: str) -> None:
        """Say why a job is as it is, which is no change of its status."""
        if job.status_reason != reason:
            job.status_reason = reason
            self._jobs.save(job)

    def _process(self, job: Job) -> Process:
        return Process(self._jobs.folder(job.job_id))


def _is_worth_another(attempts: list[Attempt]) -> bool:
    crashes = [
        attempt
        for attempt in attempts
        if attempt.container.exit_code not in (None, STORE_UNAVAILABLE)
    ]
    return len(attempts) < MAX_ATTEMPTS and len(crashes) < MAX_CRASHES


def _advise(reason: str, attempts: list[Attempt]) -> str:
    """The reason of a failure, with what to do where the training cannot say it."""
    advice = ADVICE.get(attempts[-1].container.exit_code)
    return f"{advice} ({reason}, {len(attempts)} attempts)" if advice else reason


def _holds(lock: int) -> bool:
    """Take the lock, or find that it is taken already: by this process or by another."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
