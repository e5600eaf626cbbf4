"""Training jobs as AWS Batch describes them, kept on disk: `<folder>/<job id>/job.json`.

Any process may submit a job or ask for its end; one runner alone changes its status.
"""

import os
import re
import time
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

Status = Literal["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED"]
OVER = ("SUCCEEDED", "FAILED")
_ID_PATTERN = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$"
_ARN = "arn:aws:batch:us-east-1:123456789012:job/"


class Document(BaseModel):
    """A JSON document with AWS' camelCase names."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)


class Variable(Document):
    """The environment variable that a job needs. Any other could change what program runs, such as PYTHONPATH."""

    name: Literal["DIGITS_JOB_ID"]
    value: str = Field(pattern=_NAME_PATTERN)


class Overrides(Document):
    """What a submission changes in the job definition."""

    environment: list[Variable] = []


class Submission(Document):
    """The body of SubmitJob."""

    job_name: str = Field(pattern=_NAME_PATTERN)
    job_queue: str
    job_definition: str
    container_overrides: Overrides = Overrides()


class Exit(Document):
    """How a container ended: without an exit code when its host ended it, or it could not be started."""

    exit_code: int | None = None


class Attempt(Document):
    """A container that ended without success. Times are milliseconds since 1970."""

    started_at: int | None = None
    stopped_at: int
    container: Exit


class Job(Document):
    """A job as DescribeJobs shows it. Times are milliseconds since 1970."""

    job_arn: str
    job_id: str
    job_name: str
    job_queue: str
    job_definition: str
    status: Status
    status_reason: str | None = None
    created_at: int
    started_at: int | None = None
    stopped_at: int | None = None
    attempts: list[Attempt] = []
    container: Overrides

    def to_json(self) -> dict[str, Any]:
        """The job in Batch's words."""
        return self.model_dump(by_alias=True, exclude_none=True)

    @property
    def is_over(self) -> bool:
        """Whether the status is final."""
        return self.status in OVER


class JobQueue:
    """The jobs in a folder. Each change is whole or absent, and is there for every process at once.

    Whoever holds the lock on `lock_file` is the runner.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._over: set[str] = set()
        self.lock_file = folder / "runner.lock"

    def folder(self, job_id: str) -> Path:
        """Where the job's files are."""
        return self._folder / job_id

    def open_lock(self) -> IO[bytes]:
        """The lock file, open. Its folder is made where there is none."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self.lock_file.open("ab")

    def submit(self, submission: Submission) -> Job:
        """Add a job."""
        job_id = str(uuid.uuid4())
        job = Job(
            job_arn=_ARN + job_id,
            job_id=job_id,
            job_name=submission.job_name,
            job_queue=submission.job_queue,
            job_definition=submission.job_definition,
            status="SUBMITTED",
            created_at=now(),
            container=submission.container_overrides,
        )
        self.folder(job_id).mkdir(parents=True)
        self.save(job)
        return job

    def load(self, job_id: str) -> Job | None:
        """The job; None when there is none of this id, or its record is damaged."""
        if not re.fullmatch(_ID_PATTERN, job_id):
            return None
        try:
            return Job.model_validate_json(
                (self.folder(job_id) / "job.json").read_bytes()
            )
        except (FileNotFoundError, ValidationError):
            return None

    def named(self, names: Collection[str]) -> list[Job]:
        """The jobs of these names, newest first."""
        jobs = [
            job for job in map(self.load, self._ids()) if job and job.job_name in names
        ]
        return sorted(jobs, key=lambda job: job.created_at, reverse=True)

    def save(self, job: Job) -> None:
        """Replace the job's record."""
        replace(
            self.folder(job.job_id) / "job.json",
            job.model_dump_json(by_alias=True, exclude_none=True, indent=2),
        )

    def unfinished(self) -> list[Job]:
        """The jobs that are not over, oldest first."""
        jobs = [job for job in map(self.load, self._ids() - self._over) if job]
        self._over.update(job.job_id for job in jobs if job.is_over)
        return sorted(
            (job for job in jobs if not job.is_over), key=lambda job: job.created_at
        )

    def terminate(self, job_id: str, reason: str) -> None:
        """Ask for the job's end. Nothing happens to one that is over."""
        replace(self.folder(job_id) / "terminate", reason)

    def termination(self, job_id: str) -> str | None:
        """Why the job is to end; None when nobody asked for it."""
        try:
            return (self.folder(job_id) / "terminate").read_text("utf-8")
        except FileNotFoundError:
            return None

    def _ids(self) -> set[str]:
        return {path.name for path in self._folder.glob("*")}


def now() -> int:
    """Milliseconds since 1970, as Batch counts."""
    return time.time_ns() // 1_000_000


def replace(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text, "utf-8")
    part.replace(path)
