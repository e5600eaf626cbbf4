"""A job queue of AWS Batch, on disk: `<folder>/<job id>/job.json`.

Any process may submit a job or ask for a job's end. Only the runner changes a status.
"""

import os
import re
import time
import uuid
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

Status = Literal["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED"]
FINAL_STATUSES = ("SUCCEEDED", "FAILED")
_ID_PATTERN = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$"
_ARN = "arn:aws:batch:us-east-1:123456789012:job/"


class Document(BaseModel):
    """A JSON document with camelCase names, as AWS has them."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)


class Variable(Document):
    """The one environment variable of a job.

    A variable such as PYTHONPATH could change which program runs, and is refused.
    """

    name: Literal["DIGITS_JOB_ID"]
    value: str = Field(pattern=_NAME_PATTERN)


class Overrides(Document):
    """The part of the job definition that a submission changes."""

    environment: list[Variable] = []


class SubmitJob(Document):
    """The body of SubmitJob."""

    job_name: str = Field(pattern=_NAME_PATTERN)
    job_queue: str
    job_definition: str
    container_overrides: Overrides = Overrides()


class Exit(Document):
    """How a container ended.

    Without an exit code, the host ended the container, or could not start the container.
    """

    exit_code: int | None = None


class Attempt(Document):
    """A container that failed. Times are milliseconds since 1970."""

    started_at: int | None = None
    stopped_at: int
    container: Exit


class Job(Document):
    """A job as DescribeJobs describes it. Times are milliseconds since 1970."""

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
        """The job with the names of Batch."""
        return self.model_dump(by_alias=True, exclude_none=True)

    @property
    def is_over(self) -> bool:
        """Whether the status is final."""
        return self.status in FINAL_STATUSES


class JobQueue:
    """The jobs in a folder.

    Every process sees each change at once, and never a part of a change. The process
    that holds the lock on `lock_file` is the runner.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._finished: set[str] = set()
        self.lock_file = folder / "runner.lock"

    def folder(self, job_id: str) -> Path:
        """The folder of a job's files."""
        return self._folder / job_id

    def open_lock(self) -> IO[bytes]:
        """Open the lock file. A missing folder is created."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self.lock_file.open("ab")

    def submit(self, submission: SubmitJob) -> Job:
        """Add a job."""
        job_id = str(uuid.uuid4())
        job = Job(
            job_arn=_ARN + job_id,
            job_id=job_id,
            job_name=submission.job_name,
            job_queue=submission.job_queue,
            job_definition=submission.job_definition,
            status="SUBMITTED",
            created_at=now_milliseconds(),
            container=submission.container_overrides,
        )
        self.folder(job_id).mkdir(parents=True)
        self.save(job)
        return job

    def load(self, job_id: str) -> Job | None:
        """A job; None if the id is unknown or the record damaged."""
        if not re.fullmatch(_ID_PATTERN, job_id):
            return None
        try:
            record = (self.folder(job_id) / "job.json").read_bytes()
            return Job.model_validate_json(record)
        except (FileNotFoundError, ValidationError):
            return None

    def named(self, names: Collection[str]) -> list[Job]:
        """The jobs of some names, newest first."""
        jobs = self._load_all(self._ids())
        named = [job for job in jobs if job.job_name in names]
        return sorted(named, key=_creation, reverse=True)

    def save(self, job: Job) -> None:
        """Replace the job's record."""
        record = job.model_dump_json(by_alias=True, exclude_none=True, indent=2)
        replace_text(self.folder(job.job_id) / "job.json", record)

    def unfinished(self) -> list[Job]:
        """The jobs without a final status, oldest first."""
        unfinished = []
        for job in self._load_all(self._ids() - self._finished):
            if job.is_over:
                self._finished.add(job.job_id)
            else:
                unfinished.append(job)
        return sorted(unfinished, key=_creation)

    def terminate(self, job_id: str, reason: str) -> None:
        """Ask for a job's end. A job with a final status keeps its status."""
        replace_text(self.folder(job_id) / "terminate", reason)

    def termination(self, job_id: str) -> str | None:
        """The reason to end a job; None if nobody asked for the end."""
        try:
            return (self.folder(job_id) / "terminate").read_text("utf-8")
        except FileNotFoundError:
            return None

    def _ids(self) -> set[str]:
        return {path.name for path in self._folder.glob("*")}

    def _load_all(self, ids: Iterable[str]) -> Iterator[Job]:
        return filter(None, map(self.load, ids))


def now_milliseconds() -> int:
    """The time in milliseconds since 1970, as Batch counts."""
    return time.time_ns() // 1_000_000


def replace_text(path: Path, text: str) -> None:
    """Write a file. A reader sees the old content or the new content, never a part."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text, "utf-8")
    part.replace(path)


def _creation(job: Job) -> int:
    return job.created_at
