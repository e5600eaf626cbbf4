"""AWS Batch, as far as trainings need it. boto3 is imported at the first call: listing models needs none of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any

from digits.errors import DigitsError

# Batch describes at most this many jobs a call.
DESCRIBE_LIMIT = 100
# What a user can do about what Batch and ECS say.
# https://docs.aws.amazon.com/batch/latest/userguide/troubleshooting.html
HINTS = {
    "OutOfMemoryError": "The training ran out of memory. Deploy with more TrainingMemory.",
    "Job attempt duration exceeded timeout": (
        "The training took longer than it may. Ask for fewer epochs, or deploy with a longer TrainingTimeout."
    ),
    "CannotPullContainerError": "The training image could not be fetched. Run make deploy again: it pushes the image.",
    "exit code 75": "The store did not answer the training, again and again. Train again later.",
    "CAPACITY:": "There was no free machine in time. Train again later, or deploy with another TrainingCompute.",
    "MISCONFIGURATION:": (
        "No machine is large enough. Deploy with fewer TrainingVcpus, less TrainingMemory or more TrainingMaxVcpus."
    ),
}


class BatchError(DigitsError):
    """Batch did not answer, or refused. The same request may work later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "batch-unavailable"
    title = "AWS Batch unavailable"


class BatchRefusedError(BatchError):
    """Batch refused, or could not be reached: what was asked for was not done."""


@dataclass(frozen=True)
class BatchJob:
    """What Batch says of a job: its status word, and why, with what to do about it."""

    status: str
    reason: str

    @classmethod
    def from_json(cls, job: dict[str, Any]) -> "BatchJob":
        """From what DescribeJobs answers and EventBridge sends of a job, which is the same."""
        container = job.get("container", {})
        code = container.get("exitCode")
        words = [
            job.get("statusReason"),
            container.get("reason"),
            f"exit code {code}" if code else None,
        ]
        reason = ", ".join(word for word in words if word)
        hint = next((hint for sign, hint in HINTS.items() if sign in reason), None)
        return cls(job["status"], f"{hint} ({reason})" if hint else reason)


class Batch:
    """One queue and one job definition.

    Raises:
        BatchError: from every method, when Batch does not answer or refuses.
    """

    def __init__(self, queue: str, definition: str) -> None:
        self._queue = queue
        self._definition = definition

    @cached_property
    def _client(self) -> Any:
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        # One try: after a second one nobody could say what became of the first. Two
        # calls that hang must end before API Gateway gives up, after 29 s.
        config = Config(
            connect_timeout=3,
            read_timeout=9,
            retries={"total_max_attempts": 1, "mode": "standard"},
        )
        return boto3.client("batch", config=config)

    def submit(self, job_id: str) -> str:
        """Queue the training container for a job. Returns Batch's own id of it."""
        with _batch_errors():
            answer = self._client.submit_job(
                jobName=job_id,
                jobQueue=self._queue,
                jobDefinition=self._definition,
                containerOverrides={
                    "environment": [{"name": "DIGITS_JOB_ID", "value": job_id}]
                },
            )
            return str(answer["jobId"])

    def describe(self, batch_job_ids: list[str]) -> dict[str, BatchJob]:
        """The jobs that Batch still knows, by id: it forgets finished ones after a while."""
        if not batch_job_ids:
            return {}
        with _batch_errors():
            answer = self._client.describe_jobs(jobs=batch_job_ids[:DESCRIBE_LIMIT])
            return {job["jobId"]: BatchJob.from_json(job) for job in answer["jobs"]}

    def find(self, job_id: str) -> str | None:
        """Batch's own id of a job that was submitted under this name; None when there is none, or not yet."""
        named = [{"name": "JOB_NAME", "values": [job_id]}]
        with _batch_errors():
            answer = self._client.list_jobs(jobQueue=self._queue, filters=named)
            return next(
                (
                    str(job["jobId"])
                    for job in answer["jobSummaryList"]
                    if job["jobName"] == job_id
                ),
                None,
            )

    def terminate(self, batch_job_id: str, reason: str) -> None:
        """Stop a job, whether it waits or runs."""
        with _batch_errors():
            self._client.terminate_job(jobId=batch_job_id, reason=reason)


@contextmanager
def _batch_errors() -> Iterator[None]:
    from botocore import exceptions  # noqa: PLC0415

    try:
        yield
    except (
        KeyError
    ) as error:  # botocore makes what it can of an answer that is cut off.
        raise BatchError(
            f"The answer of AWS Batch has no {error}. Try again later."
        ) from error
    except (exceptions.BotoCoreError, exceptions.ClientError) as error:
        unreached = isinstance(
            error, exceptions.EndpointConnectionError | exceptions.ConnectTimeoutError
        )
        kind = BatchRefusedError if unreached or _is_refusal(error) else BatchError
        raise kind(
            f"AWS Batch could not be asked: {error}. Try again later."
        ) from error


def _is_refusal(error: Any) -> bool:
    """Whether Batch answered, and with an error of the client's (4xx)."""
    response = getattr(error, "response", None) or {}
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return int(status) // 100 == HTTPStatus.BAD_REQUEST // 100
