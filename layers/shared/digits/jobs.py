"""Training jobs in the store: `jobs/<job_id>/` holds request.json, progress.json and, once it is over, result.json."""

from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from digits.datasets import NAME_PATTERN, DatasetVersion
from digits.errors import ConflictError, DamagedObjectError, MissingObjectError, UnknownError
from digits.store import Store

# A listing reads two objects a job.
LIST_LIMIT = 50


# What its script has, where that is not the default.
_LAB = {"epochs": 3, "learning_rate": 1.0}


class Parameters(BaseModel):
    """What a training run is asked to do: the body of `POST /train`, every field optional."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    dataset: str | None = Field(None, pattern=NAME_PATTERN, description="A dataset's name; mnist if there is one")
    architecture: Literal["lab", "lite"] = Field("lite", description="The network: lab is the research lab's CNN")
    epochs: int = Field(50, ge=1, le=200, description="3 for lab")
    batch_size: int = Field(128, ge=1, le=4096)
    learning_rate: float = Field(0.002, gt=0, le=10, allow_inf_nan=False, description="1.0 for lab")
    seed: int = Field(0, ge=0, lt=2**31)

    @model_validator(mode="before")
    @classmethod
    def _fill_in_the_labs(cls, given: Any) -> Any:
        return {**_LAB, **given} if isinstance(given, dict) and given.get("architecture") == "lab" else given


class Request(BaseModel):
    """request.json: the job as it was accepted."""

    job_id: str
    created: datetime
    dataset: str
    dataset_version: str
    parameters: Parameters
    batch_job_id: str | None = None

    @classmethod
    def new(cls, job_id: str, dataset: DatasetVersion, parameters: Parameters) -> "Request":
        """A job that is accepted now."""
        return cls(
            job_id=job_id,
            created=datetime.now(UTC),
            dataset=dataset.name,
            dataset_version=dataset.version,
            parameters=parameters,
        )


class Progress(BaseModel):
    """progress.json: how far the training is.

    Loss and accuracy are on the training data, of the epoch so far; the validation accuracy is of the last finished
    epoch.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    validation_accuracy: float | None = None
    eta_seconds: float
    updated: datetime


class Result(BaseModel):
    """result.json: how the job ended. Written once; the first that writes it decides."""

    model_config = ConfigDict(protected_namespaces=())

    status: Literal["SUCCEEDED", "FAILED"]
    reason: str
    finished: datetime
    accuracy: float | None = None
    model_version: str | None = None
    released: bool = False


Document = TypeVar("Document", bound=BaseModel)


def create(store: Store, request: Request) -> None:
    """Record a new job.

    Raises:
        ConflictError: the job id is taken.
    """
    store.create(_key(request.job_id, "request"), _to_bytes(request))


def update(store: Store, request: Request) -> None:
    """Replace a job's record: its Batch id is known only after it was submitted."""
    store.write(_key(request.job_id, "request"), _to_bytes(request))


def discard(store: Store, job_id: str) -> None:
    """Forget a job that never came to be."""
    store.delete(_key(job_id, "request"))


def load_request(store: Store, job_id: str) -> Request:
    """The job as it was accepted.

    Raises:
        UnknownError: there is no such job.
    """
    found = _load(store, job_id, "request", Request)
    if found is None:
        raise UnknownError(f"There is no job {job_id!r}. List them with GET /train.")
    return found


def load_progress(store: Store, job_id: str) -> Progress | None:
    """How far the job is; None before its first step."""
    return _load(store, job_id, "progress", Progress)


def save_progress(store: Store, job_id: str, progress: Progress) -> None:
    """Say how far the job is."""
    store.write(_key(job_id, "progress"), _to_bytes(progress))


def load_result(store: Store, job_id: str) -> Result | None:
    """How the job ended; None while it has not."""
    return _load(store, job_id, "result", Result)


def finish(store: Store, job_id: str, result: Result) -> Result:
    """Record how the job ended.

    Returns:
        The result that counts: the one that was there first, if there was one.
    """
    try:
        store.create(_key(job_id, "result"), _to_bytes(result))
    except ConflictError:
        return _load(store, job_id, "result", Result) or result
    return result


def fail(store: Store, job_id: str, reason: str) -> Result:
    """`finish` with FAILED, now."""
    return finish(store, job_id, Result(status="FAILED", reason=reason, finished=datetime.now(UTC)))


def list_ids(store: Store) -> list[str]:
    """The ids of the newest jobs, newest first, at most `LIST_LIMIT`."""
    requests = [entry for entry in store.entries("jobs") if entry.key.endswith("/request.json")]
    newest = sorted(requests, key=lambda entry: entry.modified, reverse=True)[:LIST_LIMIT]
    return [entry.key.split("/")[1] for entry in newest]


def _load(store: Store, job_id: str, name: str, kind: type[Document]) -> Document | None:
    key = _key(job_id, name)
    try:
        return kind.model_validate_json(store.read(key))
    except MissingObjectError:
        return None
    except ValidationError as error:
        raise DamagedObjectError(f"{key} is not as it should be: {error.errors()[0]['msg']}.") from error


def _to_bytes(document: BaseModel) -> bytes:
    return document.model_dump_json(indent=2).encode() + b"\n"


def _key(job_id: str, name: str) -> str:
    return f"jobs/{job_id}/{name}.json"
