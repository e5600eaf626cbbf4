"""A client of AWS Batch, for what trainings need.

boto3 is imported at the first request: listing models needs no boto3.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any

from digits.errors import DigitsError

# DescribeJobs takes at most this many jobs.
DESCRIBE_LIMIT = 100
# API Gateway gives up after 29 s. Two requests that hang must end before.
_CONNECT_TIMEOUT = 3  # seconds
_READ_TIMEOUT = 9  # seconds
# What a user can do about what Batch and ECS say.
# https://docs.aws.amazon.com/batch/latest/userguide/troubleshooting.html
HINTS = {
    "OutOfMemoryError": (
        "The training ran out of memory. Deploy with more TrainingMemory."
    ),
    "Job attempt duration exceeded timeout": (
        "The training exceeded its time limit."
        " Ask for fewer epochs, or deploy with a longer TrainingTimeout."
    ),
    "CannotPullContainerError": (
        "The training image could not be fetched."
        " Push the image by running make deploy again."
    ),
    "exit code 75": (
        "The object store did not answer the training repeatedly. Train again later."
    ),
    "CAPACITY:": (
        "There was no free machine in time."
        " Train again later, or deploy with another TrainingCompute."
    ),
    "MISCONFIGURATION:": (
        "No machine is large enough. Deploy with fewer TrainingVcpus,"
        " less TrainingMemory or more TrainingMaxVcpus."
    ),
}


class BatchError(DigitsError):
    """Batch did not answer, or refused. The same request may work later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "batch-unavailable"
    title = "AWS Batch unavailable"


class BatchRefusedError(BatchError):
    """Batch refused, or could not be reached, so the request had no effect."""


@dataclass(frozen=True)
class BatchJob:
    """What Batch says of a job.

    Attributes:
        status: Batch's status word.
        reason: why, with what to do about it.
    """

    status: str
    reason: str

    @classmethod
    def from_json(cls, job: dict[str, Any]) -> "BatchJob":
        """A job as DescribeJobs answers and EventBridge sends, which is the same."""
        container = job.get("container", {})
        exit_code = container.get("exitCode")
        reasons = [job.get("statusReason"), container.get("reason")]
        if exit_code:
            reasons.append(f"exit code {exit_code}")
        reason = ", ".join(filter(None, reasons))
        return cls(job["status"], _add_hint(reason))


class BatchClient:
    """A client for one queue and one job definition.

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

        # A second attempt would hide whether the first attempt had an effect.
        config = Config(
            connect_timeout=_CONNECT_TIMEOUT,
            read_timeout=_READ_TIMEOUT,
            retries={"total_max_attempts": 1, "mode": "standard"},
        )
        return boto3.client("batch", config=config)

    def submit_job(self, job_id: str) -> str:
        """Queue the training container for a job.

        Returns:
            Batch's own id of the job.
        """
        environment = [{"name": "DIGITS_JOB_ID", "value": job_id}]
        with _batch_errors():
            answer = self._client.submit_job(
                jobName=job_id,
                jobQueue=self._queue,
                jobDefinition=self._definition,
                containerOverrides={"environment": environment},
            )
            return str(answer["jobId"])

    def describe_jobs(self, batch_job_ids: list[str]) -> dict[str, BatchJob]:
        """The jobs that Batch knows, by Batch's own id.

        Batch forgets a job some time after the job has finished.
        """
        if not batch_job_ids:
            return {}
        with _batch_errors():
            answer = self._client.describe_jobs(jobs=batch_job_ids[:DESCRIBE_LIMIT])
            return {job["jobId"]: BatchJob.from_json(job) for job in answer["jobs"]}

    def find_job(self, job_id: str) -> str | None:
        """Batch's own id of the job of this name; None while Batch shows no such job."""
        by_name = [{"name": "JOB_NAME", "values": [job_id]}]
        with _batch_errors():
            answer = self._client.list_jobs(jobQueue=self._queue, filters=by_name)
            for job in answer["jobSummaryList"]:
                # Batch's filter also matches names in another case.
                if job["jobName"] == job_id:
                    return str(job["jobId"])
        return None

    def terminate_job(self, batch_job_id: str, reason: str) -> None:
        """Stop a job that waits or runs."""
        with _batch_errors():
            self._client.terminate_job(jobId=batch_job_id, reason=reason)


def _add_hint(reason: str) -> str:
    for sign, hint in HINTS.items():
        if sign in reason:
            return f"{hint} ({reason})"
    return reason


@contextmanager
def _batch_errors() -> Iterator[None]:
    """Raise botocore's errors as `BatchError`."""
    from botocore import exceptions  # noqa: PLC0415

    try:
        yield
    except KeyError as error:
        # botocore accepts an answer that is cut off.
        raise BatchError(
            f"The answer of AWS Batch lacks {error}. Try again later."
        ) from error
    except (
        exceptions.EndpointConnectionError,
        exceptions.ConnectTimeoutError,
    ) as error:
        raise BatchRefusedError(_failure(error)) from error
    except exceptions.ClientError as error:
        kind = BatchRefusedError if _is_refusal(error.response) else BatchError
        raise kind(_failure(error)) from error
    except exceptions.BotoCoreError as error:
        raise BatchError(_failure(error)) from error


def _failure(error: Exception) -> str:
    return f"The request to AWS Batch failed: {error}. Try again later."


def _is_refusal(response: Any) -> bool:
    """Whether Batch answered with a client error (4xx)."""
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
