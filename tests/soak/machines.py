"""What AWS does by itself: conversions, and trainings on Batch, on machines that are lost at random times."""

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

# Of a training that the store fails. One that is killed lost its machine, which does
# not count here.
MAX_ATTEMPTS = 5
CONVERSION_SECONDS, TRAINING_SECONDS = 60.0, 300.0
EXITED = "Essential container in task exited"


@dataclass(frozen=True)
class Training:
    """What a training runs, and in how many seconds one that is to be killed is dead."""

    module: str
    seconds: float


class Machines:
    """The conversions and the trainings that run.

    Args:
        world: where they run.
        store: past the faults.
        random: decides when they are killed.
        training: the kind of trainings.
        journal: of the round.
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
        """S3 tells of the upload `raw/<name>.npz`."""
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
        """Batch has a machine for a job."""
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

    def take_note(self) -> None:
        """See which processes have ended, and kill those whose time has come and those of jobs that are terminated."""
        for job_id, worker in self._trainings:
            if self._world.jobs.termination(job_id) is not None:
                worker.doom(signal.SIGTERM)
        for worker in [it for it in self._conversions if it.is_over()]:
            self._conversions.remove(worker)
            self._count(worker)
        for job_id, worker in [it for it in self._trainings if it[1].is_over()]:
            self._trainings.remove((job_id, worker))
            self._count(worker)
            self._end_attempt(job_id, worker)

    def finish(self) -> None:
        """Wait for all processes."""
        for worker in self._conversions:
            worker.wait(CONVERSION_SECONDS)
        self.take_note()
        for _, worker in self._trainings:
            worker.wait(TRAINING_SECONDS)
        self.take_note()

    def convert(self, name: str) -> None:
        """Convert an upload.

        Raises:
            Violation: it fails.
        """
        worker = self.start_conversion(name, doomed=False)
        self.finish()
        if worker.process.returncode or answer_of(worker)["status"] not in {
            "converted",
            "refused",
        }:
            raise Violation(
                f"The conversion of {name} fails without a fault: {worker.log.read_text()}"
            )

    def run_all(self) -> None:
        """Take every job to its end."""
        while waiting := self._world.jobs.unfinished():
            for job in waiting:
                if (reason := self._world.jobs.termination(job.job_id)) is not None:
                    self._change(job, "FAILED", reason)
                else:
                    self.start_training(job, doomed=False)
                    self.finish()

    def known_jobs(self) -> list[Job]:
        """Every job that Batch ever took, oldest first."""
        ids = (path.parent.name for path in self._world.folder.glob("batch/*/job.json"))
        return sorted(
            (job for job in map(self._world.jobs.load, ids) if job),
            key=lambda job: job.created_at,
        )

    def _count(self, worker: Worker) -> None:
        self._journal.count(
            f"{worker.name} processes{' killed' if worker.kills else ''}"
        )
        self._journal.add(
            f"{worker.name} ended with {worker.process.returncode}: {worker.log.read_text()[-300:]!r}"
        )

    def _end_attempt(self, job_id: str, worker: Worker) -> None:
        job, code = self._world.jobs.load(job_id), worker.process.returncode
        if job is None or job.is_over:
            return
        if code == 0:
            self._change(job, "SUCCEEDED", EXITED)
        elif (reason := self._world.jobs.termination(job_id)) is not None:
            self._change(job, "FAILED", reason)
        elif worker.kills:
            self._change(job, "RUNNABLE", "Host terminated")
        elif code == os.EX_TEMPFAIL and len(job.attempts) < MAX_ATTEMPTS:
            job.attempts.append(
                Attempt(
                    started_at=job.started_at,
                    stopped_at=0,
                    container=Exit(exit_code=code),
                )
            )
            self._change(job, "RUNNABLE", EXITED)
        else:
            self._change(job, "FAILED", EXITED)

    def _change(self, job: Job, status: Status, reason: str | None = None) -> None:
        job.status, job.status_reason = status, reason
        self._world.jobs.save(job)
