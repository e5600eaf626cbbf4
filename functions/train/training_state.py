"""What the API tells of a training."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from batch_client import BatchJob
from digits import documents
from digits.jobs import Progress, Records, Result

_SUBMITTED = BatchJob("SUBMITTED", reason="")


@dataclass(frozen=True)
class TrainingState:
    """How a training is.

    Attributes:
        job_id: names the training.
        status: AWS Batch's status word.
        reason: why the training has this status, and what to do about it.
        created: when the training was accepted.
        dataset: the dataset's name.
        dataset_version: the dataset's version.
        parameters: what was asked for.
        progress: how far the training is; None before its first phase.
        accuracy: on the test split, of the model that was published.
        model_version: the model that was published.
        released: whether the model was released.
    """

    job_id: str
    status: str
    reason: str
    created: datetime
    dataset: str
    dataset_version: str
    parameters: dict[str, Any]
    progress: Progress | None
    accuracy: float | None = None
    model_version: str | None = None
    released: bool = False

    @classmethod
    def from_records(
        cls, records: Records, job: BatchJob | None, result: Result | None
    ) -> "TrainingState":
        """The state of a training.

        Args:
            records: what the store has of the training.
            job: what Batch says of the training; None if Batch does not know it.
            result: how the training ended; None while it has not.
        """
        request = records.request
        parameters = dict(request.parameters)
        parameters.pop("dataset", None)
        # The result counts more than what Batch says, and outlives it.
        outcome = result or job or _SUBMITTED
        state = cls(
            job_id=request.job_id,
            status=outcome.status,
            reason=outcome.reason,
            created=request.created,
            dataset=request.dataset,
            dataset_version=request.dataset_version,
            parameters=parameters,
            progress=records.progress,
        )
        if result is None:
            return state
        return replace(
            state,
            accuracy=result.accuracy,
            model_version=result.model_version,
            released=result.released,
        )

    @property
    def is_over(self) -> bool:
        """Whether the training has ended."""
        return self.status in {"SUCCEEDED", "FAILED"}

    def to_json(self) -> dict[str, Any]:
        """The state as the API answers."""
        document = documents.to_json(self)
        if self.progress:
            document["progress"] = documents.to_json(self.progress)
        return document


@dataclass(frozen=True)
class UnreadableTraining:
    """A training whose records cannot be read, in a list."""

    job_id: str
    problem: str

    def to_json(self) -> dict[str, Any]:
        """The training as the API answers."""
        return documents.to_json(self)


@dataclass(frozen=True)
class TrainingPage:
    """Trainings, newest first, and what to ask for the next page with; None on the last."""

    trainings: list[TrainingState | UnreadableTraining]
    next: str | None
