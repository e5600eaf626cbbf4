"""The machines of AWS, which are lost at random times: conversions, and trainings on Batch."""

import json
import os
import signal
from dataclasses import dataclass
from random import Random

from digits.datasets.uploads import upload_key
from digits.store import Store
from local.aws_batch.job_queue import Attempt, Exit, Job, Status
from local.eventbridge.events import object_created
from tests.soak.client import Violation, answer_of
from tests.soak.journal import Journal
from tests.soak.world import Worker, World

# Attempts that fail because of the store. A killed training lost its machine, which is no
# failed attempt.
MAX_ATTEMPTS = 5
CONVERSION_SECONDS = 60.0
TRAINING_SECONDS = 300.0
EXITED = "Essential container in task exited"


@dataclass(frozen=True)
class Training:
    """A kind of training.

    Attributes:
        module: what Python runs.
        seconds: a doomed training is killed within this time.
    """

    module: str
    seconds: float


class Machines:
    """The running conversions and trainings.

    Args:
        world: where the processes run.
        store: without faults.
        random: decides when processes are killed.
        training: the kind of trainings.
        journal: takes what happens.
    """

    def __init__(
        self,
        world: World,
        store: Store,
        random: Random,
        training: Training,
        journal: Journal,
    ) -> None:
        self._world = world
        self._store = store
        self._random = random
        self._training = training
        self._journal = journal
        self._trainings: list[tuple[str, Worker]] = []
        self._conversions: list[Worker] = []

    def start_conversion(self, name: str, *, doomed: bool) -> Worker:
        """Convert an upload, as when S3 tells of the upload."""
        event = object_created(self._store.url, self._store.entry(upload_key(name)))
        seconds = self._random.uniform(0.3, 2) if doomed else None
        self._journal.add(f"Conversion of {name}; to be killed after {seconds} s.")
        command = ("-m", "tests.soak.invoke", "convert")
        worker = self._world.start(
            "convert", *command, given=json.dumps(event), seconds=seconds
        )
        self._conversions.append(worker)
        return worker

    def start_training(self, job: Job, *, doomed: bool) -> None:
        """Run a job, as when Batch has a machine."""
        seconds = self._random.uniform(0.3, self._training.seconds) if doomed else None
        how = self._random.choice((signal.SIGKILL, signal.SIGTERM))
        self._journal.add(f"Training {job.job_name}; {how.name} after {seconds} s.")
        variables = {"DIGITS_JOB_ID": job.job_name}
        worker = self._world.start(
            "training",
            "-m",
            self._training.module,
            variables=variables,
            seconds=seconds,
            how=how,
        )
        self._change(job, "RUNNING")
        self._trainings.append((job.job_id, worker))

    def reap(self) -> None:
        """Kill processes that are due or whose job was terminated, and note those that ended."""
        for job_id, worker in self._trainings:
            if self._world.jobs.termination(job_id) is not None:
                worker.doom(signal.SIGTERM)
        for worker in list(self._conversions):
            if worker.is_over():
                self._conversions.remove(worker)
                self._count(worker)
        for job_id, worker in list(self._trainings):
            if worker.is_over():
                self._trainings.remove((job_id, worker))
                self._count(worker)
                self._end_attempt(job_id, worker)

    def finish(self) -> None:
        """Wait for all processes."""
        for worker in self._conversions:
            worker.wait(CONVERSION_SECONDS)
        self.reap()
        for _, worker in self._trainings:
            worker.wait(TRAINING_SECONDS)
        self.reap()

    def convert(self, name: str) -> None:
        """Convert an upload.

        Raises:
            Violation: the conversion fails.
        """
        worker = self.start_conversion(name, doomed=False)
        self.finish()
        ended = worker.process.returncode == 0
        if not ended or answer_of(worker)["status"] not in {"converted", "refused"}:
            log = worker.log.read_text()
            raise Violation(f"The conversion of {name} fails without a fault: {log}")

    def run_all(self) -> None:
        """Run every job to its end."""
        while waiting := self.unfinished_jobs():
            for job in waiting:
                reason = self._world.jobs.termination(job.job_id)
                if reason is None:
                    self.start_training(job, doomed=False)
                    self.finish()
                else:
                    self._change(job, "FAILED", reason)

    def unfinished_jobs(self) -> list[Job]:
        """The jobs that Batch has not run to the end."""
        return self._world.jobs.unfinished()

    def known_jobs(self) -> list[Job]:
        """Every job that Batch ever took, oldest first."""
        jobs = []
        for path in self._world.folder.glob("batch/*/job.json"):
            job = self._world.jobs.load(path.parent.name)
            if job:
                jobs.append(job)
        return sorted(jobs, key=lambda job: job.created_at)

    def _count(self, worker: Worker) -> None:
        killed = " killed" if worker.kills else ""
        self._journal.count(f"{worker.name} processes{killed}")
        status, end = worker.process.returncode, worker.log.read_text()[-300:]
        self._journal.add(f"{worker.name} ended with {status}: {end!r}")

    def _end_attempt(self, job_id: str, worker: Worker) -> None:
        job, status = self._world.jobs.load(job_id), worker.process.returncode
        if job is None or job.is_over:
            return
        reason = self._world.jobs.termination(job_id)
        if status == 0:
            self._change(job, "SUCCEEDED", EXITED)
        elif reason is not None:
            self._change(job, "FAILED", reason)
        elif worker.kills:
            self._change(job, "RUNNABLE", "Host terminated")
        elif status == os.EX_TEMPFAIL and len(job.attempts) < MAX_ATTEMPTS:
            container = Exit(exit_code=status)
            attempt = Attempt(
                started_at=job.started_at, stopped_at=0, container=container
            )
            job.attempts.append(attempt)
            self._change(job, "RUNNABLE", EXITED)
        else:
            self._change(job, "FAILED", EXITED)

    def _change(self, job: Job, status: Status, reason: str | None = None) -> None:
        job.status, job.status_reason = status, reason
        self._world.jobs.save(job)
