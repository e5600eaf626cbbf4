"""Training jobs in the store: `jobs/<job_id>/` holds request.json, progress.json and, once it is over, result.json."""

import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
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

# What a training does, in this order.
Phase = Literal[
    "fetching", "preparing", "fitting", "exporting", "evaluating", "publishing"
]


@dataclass(frozen=True)
class Request:
    """request.json: the job as it was accepted.

    Attributes:
        job_id: names the job.
        created: when it was accepted.
        dataset: what it trains on.
        dataset_version: the version that was the newest then.
        parameters: as `Parameters` had them in the code that accepted the job; another
            version may have others.
        batch_job_id: AWS Batch's own id of it, once it is known.
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
            InvalidParameterError: it does not know them.
        """
        try:
            return Parameters.model_validate(self.parameters)
        except ValidationError as error:
            detail = f"Job {self.job_id} was accepted by another version of this service. Start a new training."
            raise InvalidParameterError(detail) from error

    def in_batch(self, batch_job_id: str) -> "Request":
        """The same job, once Batch has it."""
        return replace(self, batch_job_id=batch_job_id)


@dataclass(frozen=True)
class Progress:
    """progress.json: how far the training is.

    Attributes:
        phase: what it does now.
        updated: when this was so.
        eta_seconds: seconds until the job is over, of all phases; None when there is
            nothing to estimate it from.
        epoch: of `epochs`, while it fits; 1 is the first. All that follows is None in
            the other phases.
        epochs: how many there are.
        step: of `steps` in this epoch.
        steps: how many there are in an epoch.
        loss: on the training data, of the epoch so far.
        accuracy: on the training data, of the epoch so far.
        validation_accuracy: of the last finished epoch; None during the first.
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
    """result.json: how the job ended. claim.json holds the same: the first that writes it decides (`outcomes`).

    Attributes:
        status: AWS Batch's word.
        reason: why, in words for a person.
        finished: when it was decided.
        accuracy: on the test split, of the model that is published.
        model_version: the model, if there is one.
        released: whether it was made live.
        releases_before: the newest release when it was decided; the job's own comes after it.
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


_KINDS: dict[str, type[Any]] = {
    "request": Request,
    "result": Result,
    "progress": Progress,
}


@dataclass(frozen=True)
class Records:
    """All that the store has on a job."""

    request: Request
    result: Result | None
    progress: Progress | None


def create(store: Store, request: Request) -> None:
    """Record a new job.

    Raises:
        ConflictError: the job id is taken.
    """
    store.create(_key(request.job_id, "request"), documents.to_bytes(request))
    note(store, request)


def note(store: Store, request: Request) -> None:
    """Have a job listed. It does no harm to say it again, as whoever died after the record would have."""
    _folder(store).add(request.job_id, request.created)


def update(store: Store, request: Request) -> None:
    """Replace a job's record: its Batch id is known only after it was submitted."""
    store.write(_key(request.job_id, "request"), documents.to_bytes(request))


def discard(store: Store, job_id: str) -> None:
    """Forget a job that never came to be."""
    store.delete(_key(job_id, "request"))


def load(store: Store, job_id: str) -> Records:
    """All records of a job.

    Raises:
        DamagedObjectError: one cannot be read.
        UnknownError: there is no such job.
    """
    found = load_many(store, [job_id]).get(job_id)
    if found is None:
        raise UnknownError(
            f"There is no job {job_id!r}. List the jobs with GET /train."
        )
    if isinstance(found, DamagedObjectError):
        raise found
    return found


def load_many(
    store: Store, job_ids: list[str]
) -> dict[str, Records | DamagedObjectError]:
    """All records of jobs, read at once, or what is wrong with them; without the jobs that are not there."""
    wanted = [
        (job_id, name)
        for job_id in job_ids
        for name in ("request", "result", "progress")
    ]
    loaded = parallel.each(lambda it: _load_or_error(store, *it), wanted)
    found: dict[str, Records | DamagedObjectError] = {}
    for job_id, request, result, progress in zip(
        job_ids, loaded[::3], loaded[1::3], loaded[2::3], strict=True
    ):
        error = next(
            (
                it
                for it in (request, result, progress)
                if isinstance(it, DamagedObjectError)
            ),
            None,
        )
        if error or request:
            found[job_id] = error or Records(request, result, progress)
    return found


def load_request(store: Store, job_id: str) -> Request:
    """The job as it was accepted.

    Raises:
        DamagedObjectError: its record cannot be read.
        UnknownError: there is no such job.
    """
    found = _load(store, job_id, "request", Request)
    if found is None:
        raise UnknownError(
            f"There is no job {job_id!r}. List the jobs with GET /train."
        )
    return found


def load_progress(store: Store, job_id: str) -> Progress | None:
    """How far the job is; None before its first step."""
    return _load(store, job_id, "progress", Progress)


def save_progress(store: Store, job_id: str, progress: Progress) -> None:
    """Say how far the job is."""
    store.write(_key(job_id, "progress"), documents.to_bytes(progress))


def load_result(store: Store, job_id: str) -> Result | None:
    """How the job ended; None while it has not."""
    return _load(store, job_id, "result", Result)


def load_claim(store: Store, job_id: str) -> Result | None:
    """How it was decided that the job ends; None while it was not. What follows from it may be still to do."""
    return _load(store, job_id, "claim", Result)


def claim(store: Store, job_id: str, result: Result) -> Result:
    """Decide how the job ends.

    Returns:
        What counts: the decision that was there first, if there was one.
    """
    return _create(store, job_id, "claim", result)


def finish(store: Store, job_id: str, result: Result) -> Result:
    """Record how the job ended, after everything that follows from it.

    Returns:
        The result that counts: the one that was there first, if there was one.
    """
    return _create(store, job_id, "result", result)


def checkpoint_key(job_id: str) -> str:
    """Where a training keeps its last finished epoch, to go on from."""
    return f"jobs/{job_id}/checkpoint.keras"


def delete_checkpoint(store: Store, job_id: str) -> None:
    """Forget the last finished epoch of a job that nothing works on any more."""
    store.delete(checkpoint_key(job_id))


def list_ids(store: Store, after: str | None = None) -> Page:
    """The ids of jobs, newest first. One may be gone, or never have come to be."""
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


def _load_or_error(store: Store, job_id: str, name: str) -> Any:
    try:
        return _load(store, job_id, name, _KINDS[name])
    except DamagedObjectError as error:
        return error


def _folder(store: Store) -> Folder:
    return Folder(store, "jobs", "request.json")


def _key(job_id: str, name: str) -> str:
    return f"jobs/{job_id}/{name}.json"
