"""Runs training jobs, one at a time, as AWS Batch would: tried again, ended on request, their changes announced."""

import asyncio
import fcntl
import logging
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from local.jobs import Attempt, Exit, Job, Jobs, Status, now
from local.process import Process

# A training that died goes on from its checkpoint, once. Batch does so for a lost machine only, but an exit code does
# not tell that from a crash.
MAX_ATTEMPTS = 2
# Batch gives a container 30 s after SIGTERM; one's own machine may be less patient.
GRACE_SECONDS = 10.0
POLL_SECONDS = 0.2

logger = logging.getLogger(__name__)


class Runner:
    """Takes every job from SUBMITTED to its end.

    It remembers nothing that matters: each step goes by what is on disk and by which processes are alive. So the next
    runner goes on where a killed one stopped, and a training that is alive is followed rather than started again.

    Args:
        jobs: the queue.
        command: what a job runs, with the job's own environment variables.
        cwd: where.
        environment: the variables that all jobs get.
        notify: hears of every change of status.
    """

    def __init__(
        self,
        jobs: Jobs,
        command: Sequence[str],
        cwd: Path,
        environment: Mapping[str, str],
        notify: Callable[[Job], Awaitable[None]],
    ) -> None:
        self._jobs = jobs
        self._command = command
        self._cwd = cwd
        self._environment = environment
        self._notify = notify
        self._ending: dict[str, float] = {}
        self._child: subprocess.Popen[bytes] | None = None

    async def run(self) -> None:
        """Run jobs until cancelled. Processes that run then go on.

        Of several gateways on the same folder one runs the jobs; another takes over when it ends.
        """
        with self._jobs.lock_file.open("ab") as lock:
            while True:
                try:
                    if _holds(lock.fileno()):
                        await self.step()
                except OSError as error:
                    logger.warning("Jobs cannot be run: %s", error)
                await asyncio.sleep(POLL_SECONDS)

    async def step(self) -> None:
        """Take each job as far as it goes now."""
        if self._child:
            self._child.poll()  # Reaps it.
        jobs = self._jobs.unfinished()
        for job in jobs:
            if job.status == "SUBMITTED":
                await self._change(job, "RUNNABLE")
            if job.status == "RUNNABLE" and (reason := self._jobs.termination(job.job_id)) is not None:
                await self._change(job, "FAILED", reason)
            elif job.status in ("STARTING", "RUNNING"):
                await self._follow(job)
        runnable = [job for job in jobs if job.status == "RUNNABLE"]
        if runnable and not any(job.status in ("STARTING", "RUNNING") for job in jobs):
            await self._start(runnable[0])

    async def _start(self, job: Job) -> None:
        process = self._process(job)
        process.forget()  # Before STARTING is on disk: from then on an exit status counts as this attempt's.
        await self._change(job, "STARTING")
        variables = {variable.name: variable.value for variable in job.container.environment}
        try:
            self._child = process.start(self._command, self._cwd, {**self._environment, **variables})
        except OSError as error:
            await self._change(job, "FAILED", f"CannotStartContainerError: {error}")
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
        elif (exit_code := process.exit_code()) == 0:
            await self._change(job, "SUCCEEDED", "Essential container in task exited")
        elif termination is not None:
            await self._change(job, "FAILED", termination)
        elif exit_code is None:
            # Not the training's fault: this is no attempt of its own.
            await self._change(job, "RUNNABLE", "Host terminated")
        else:
            await self._retry(job, exit_code)

    async def _retry(self, job: Job, exit_code: int) -> None:
        attempt = Attempt(started_at=job.started_at, stopped_at=now(), container=Exit(exit_code=exit_code))
        job.attempts.append(attempt)
        status: Status = "RUNNABLE" if len(job.attempts) < MAX_ATTEMPTS else "FAILED"
        await self._change(job, status, "Essential container in task exited")

    def _end(self, job: Job, process: Process) -> None:
        asked = self._ending.get(job.job_id)
        if asked is None:
            if process.send(signal.SIGTERM):
                self._ending[job.job_id] = time.monotonic()
        elif time.monotonic() - asked > GRACE_SECONDS:
            process.send(signal.SIGKILL)

    async def _change(self, job: Job, status: Status, reason: str | None = None) -> None:
        job.status = status
        job.status_reason = reason
        if status == "RUNNING":
            job.started_at = now()
        elif job.is_over:
            job.stopped_at = now()
        self._jobs.save(job)
        await self._notify(job)

    def _process(self, job: Job) -> Process:
        return Process(self._jobs.folder(job.job_id))


def _holds(lock: int) -> bool:
    """Take the lock, or find that it is taken already: by this process or by another."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
