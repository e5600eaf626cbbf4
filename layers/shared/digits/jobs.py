"""Training jobs in the store: `jobs/<job_id>/` holds a file per record of a job."""

import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import product
from typing import Any, Literal

from pydantic import ValidationError

from digits import documents, parallel
from digits.datasets.versions import DatasetVersion
from digits.documents import Document
from digits.errors import (
    ConflictError,
    DamagedObjectError,
    InvalidParameterError,
    MissingObjectError,
    UnknownError,
)
from digits.newest_first import Folder, Page
from digits.parameters import Parameters
from digits.store import Store

# The phases of a training, in this order.
Phase = Literal[
    "fetching", "preparing", "fitting", "exporting", "evaluating", "publishing"
]


@dataclass(frozen=True)
class Request:
    """request.json: the job as it was accepted.

    Attributes:
        job_id: names the job.
        created: when the job was accepted.
        dataset: the dataset to train on.
        dataset_version: the newest version of the dataset when the job was accepted.
        parameters: as `Parameters` was in the code that accepted the job; another
            version of the code may have other parameters.
        batch_job_id: AWS Batch's own id of the job; None before the submission.
        submission: tells two requests with one idempotency key apart.
    """

    job_id: str
    created: datetime
    dataset: str
    dataset_version: str
    parameters: dict[str, Any]
    batch_job_id: str | None = None
    submission: str = field(default_factory=lambda: str(uuid.uuid4()))

    @classmethod
    def new(
        cls, job_id: str, dataset: DatasetVersion, parameters: Parameters
    ) -> "Request":
        """A job that is accepted now."""
        return cls(
            job_id,
            datetime.now(UTC),
            dataset.name,
            dataset.version,
            parameters.model_dump(),
        )

    def training_parameters(self) -> Parameters:
        """The parameters, for this version of the code.

        Raises:
            InvalidParameterError: this version of the code does not know the parameters.
        """
        try:
            return Parameters.model_validate(self.parameters)
        except ValidationError as error:
            raise InvalidParameterError(
                f"Job {self.job_id} was accepted by another version of this service. "
                "Start a new training."
            ) from error

    def in_batch(self, batch_job_id: str) -> "Request":
        """The same job, after the submission to AWS Batch."""
        return replace(self, batch_job_id=batch_job_id)


@dataclass(frozen=True)
class Progress:
    """progress.json: how far the training is.

    Attributes:
        phase: the phase that is running.
        updated: when this progress was recorded.
        eta_seconds: seconds until the last phase ends; None when there is nothing to
            estimate the seconds from.
        epoch: of `epochs`, from 1. `epoch` and all that follows are None outside the
            phase `fitting`.
        epochs: the number of epochs.
        step: of `steps`, in this epoch.
        steps: the number of steps per epoch.
        loss: on the training data, of the epoch so far.
        accuracy: on the training data, of the epoch so far.
        validation_accuracy: of the last finished epoch; None during the first epoch.
    """

    phase: Phase
    updated: datetime
    eta_seconds: float | None = None
    epoch: int | None = None
    epochs: int | None = None
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    accuracy: float | None = None
    validation_accuracy: float | None = None


@dataclass(frozen=True)
class Result:
    """How the job ended.

    claim.json holds the decision, which the first writer makes (see `outcomes`), and
    result.json the same once everything that follows from the decision is done.

    Attributes:
        status: AWS Batch's word.
        reason: why, in words for a person.
        finished: when the decision was made.
        accuracy: on the test split, of the published model.
        model_version: the published model; None if there is no such model.
        released: whether the model was released.
        releases_before: the number of the newest release when the decision was made;
            the job's own release comes later.
    """

    status: Literal["SUCCEEDED", "FAILED"]
    reason: str
    finished: datetime
    accuracy: float | None = None
    model_version: str | None = None
    released: bool = False
    releases_before: int = 0

    @classmethod
    def failed(cls, reason: str) -> "Result":
        """A failure, now."""
        return cls("FAILED", reason, datetime.now(UTC))


@dataclass(frozen=True)
class Records:
    """All records of a job."""

    request: Request
    result: Result | None
    progress: Progress | None


_KINDS: dict[str, type[Any]] = {
    "request": Request,
    "result": Result,
    "progress": Progress,
}


def create_job(store: Store, request: Request) -> None:
    """Record a new job.

    Raises:
        ConflictError: the job id is taken.
    """
    store.create(_key(request.job_id, "request"), documents.to_bytes(request))
    index_job(store, request)


def index_job(store: Store, request: Request) -> None:
    """Put a job on the list, if `create_job` may have died between record and list."""
    _folder(store).add(request.job_id, request.created)


def update_request(store: Store, request: Request) -> None:
    """Replace request.json, because the Batch id is known only after the submission."""
    store.write(_key(request.job_id, "request"), documents.to_bytes(request))


def delete_request(store: Store, job_id: str) -> None:
    """Delete request.json of a job that was never submitted."""
    store.delete(_key(job_id, "request"))


def load_job(store: Store, job_id: str) -> Records:
    """Load all records of a job.

    Raises:
        DamagedObjectError: a record cannot be read.
        UnknownError: there is no such job.
    """
    records = load_jobs(store, [job_id]).get(job_id)
    if records is None:
        raise _unknown_job(job_id)
    if isinstance(records, DamagedObjectError):
        raise records
    return records


def load_jobs(
    store: Store, job_ids: list[str]
) -> dict[str, Records | DamagedObjectError]:
    """Load the records of several jobs in parallel, or the error of a damaged record.

    Ids of jobs that are not in the store are left out.
    """

    def load_record(key: tuple[str, str]) -> Any:
        job_id, name = key
        try:
            return _load(store, job_id, name, _KINDS[name])
        except DamagedObjectError as error:
            return error

    keys = list(product(job_ids, _KINDS))
    records = dict(zip(keys, parallel.each(load_record, keys), strict=True))
    jobs: dict[str, Records | DamagedObjectError] = {}
    for job_id in job_ids:
        job = _to_job(*(records[job_id, name] for name in _KINDS))
        if job:
            jobs[job_id] = job
    return jobs


def _to_job(
    request: Any, result: Any, progress: Any
) -> Records | DamagedObjectError | None:
    for record in (request, result, progress):
        if isinstance(record, DamagedObjectError):
            return record
    return Records(request, result, progress) if request else None


def load_request(store: Store, job_id: str) -> Request:
    """Load the job as it was accepted.

    Raises:
        DamagedObjectError: request.json cannot be read.
        UnknownError: there is no such job.
    """
    request = _load(store, job_id, "request", Request)
    if request is None:
        raise _unknown_job(job_id)
    return request


def load_progress(store: Store, job_id: str) -> Progress | None:
    """Load how far the job is; None before the first step."""
    return _load(store, job_id, "progress", Progress)


def save_progress(store: Store, job_id: str, progress: Progress) -> None:
    """Record how far the job is."""
    store.write(_key(job_id, "progress"), documents.to_bytes(progress))


def load_result(store: Store, job_id: str) -> Result | None:
    """Load how the job ended; None while the job has not ended."""
    return _load(store, job_id, "result", Result)


def load_claim(store: Store, job_id: str) -> Result | None:
    """Load the decision how the job ends; None while there is no decision.

    What follows from the decision may not be done yet.
    """
    return _load(store, job_id, "claim", Result)


def claim_result(store: Store, job_id: str, result: Result) -> Result:
    """Decide how the job ends.

    Returns:
        The decision that counts, which is the first.
    """
    return _create(store, job_id, "claim", result)


def record_result(store: Store, job_id: str, result: Result) -> Result:
    """Record how the job ended, after everything that follows from the decision.

    Returns:
        The result that counts, which is the first.
    """
    return _create(store, job_id, "result", result)


def checkpoint_key(job_id: str) -> str:
    """The key at which a training keeps its last finished epoch, to resume from."""
    return f"jobs/{job_id}/checkpoint.keras"


def delete_checkpoint(store: Store, job_id: str) -> None:
    """Delete the last finished epoch of a job that has ended."""
    store.delete(checkpoint_key(job_id))


def list_job_ids(store: Store, after: str | None = None) -> Page:
    """List the ids of jobs, newest first.

    An id may be of a job that expired, or was never submitted.
    """
    return _folder(store).page(after)


def _create(store: Store, job_id: str, name: str, result: Result) -> Result:
    try:
        store.create(_key(job_id, name), documents.to_bytes(result))
    except ConflictError:
        return _load(store, job_id, name, Result) or result
    return result


def _load(
    store: Store, job_id: str, name: str, kind: type[Document]
) -> Document | None:
    try:
        return documents.read_document(store, _key(job_id, name), kind)
    except MissingObjectError:
        return None


def _unknown_job(job_id: str) -> UnknownError:
    return UnknownError(f"There is no job {job_id!r}. List jobs with GET /train.")


def _folder(store: Store) -> Folder:
    return Folder(store, "jobs", "request.json")


def _key(job_id: str, name: str) -> str:
    return f"jobs/{job_id}/{name}.json"
