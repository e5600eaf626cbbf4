"""The part of AWS Batch's HTTP API that trainings need, for boto3's client under `AWS_ENDPOINT_URL_BATCH`."""

import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from digits.errors import UnknownError
from local.api_gateway.gateway import MAX_BODY_BYTES, limited_body
from local.aws_batch.job_queue import Document, Job, JobQueue, Submission

PATH = "/_batch"
Input = TypeVar("Input", bound=Document)


class Description(Document):
    """The body of DescribeJobs."""

    jobs: list[str]


class Termination(Document):
    """The body of TerminateJob."""

    job_id: str
    reason: str


class NameFilter(Document):
    """Which jobs ListJobs shows: those of a name."""

    name: Literal["JOB_NAME"]
    values: list[str]


class Listing(Document):
    """The body of ListJobs."""

    job_queue: str
    filters: list[NameFilter] = Field(min_length=1, max_length=1)


def secret_path() -> str:
    """A path that nobody can guess, for `batch_routes`.

    Only the path tells the server's own functions from other callers: the id of an
    access key is no secret, and behind a reverse proxy every request comes from this
    machine.
    """
    return f"{PATH}/{secrets.token_urlsafe()}"


def batch_routes(jobs: JobQueue, path: str = PATH) -> Mount:
    """The operations SubmitJob, DescribeJobs, ListJobs and TerminateJob on `jobs`.

    Args:
        jobs: the queue.
        path: what the operations' paths begin with. Whoever knows `path` may use the operations.
    """

    def submit(submission: Submission) -> dict[str, Any]:
        job = jobs.submit(submission)
        return {"jobArn": job.job_arn, "jobName": job.job_name, "jobId": job.job_id}

    def describe(description: Description) -> dict[str, Any]:
        return {
            "jobs": [job.to_json() for job in map(jobs.load, description.jobs) if job]
        }

    def list_named(listing: Listing) -> dict[str, Any]:
        return {
            "jobSummaryList": [
                _summary(job) for job in jobs.named(listing.filters[0].values)
            ]
        }

    def terminate(termination: Termination) -> dict[str, Any]:
        if jobs.load(termination.job_id) is None:
            raise UnknownError(f"There is no job {termination.job_id!r}.")
        jobs.terminate(termination.job_id, termination.reason)
        return {}

    operations = [
        _operation("/v1/submitjob", Submission, submit),
        _operation("/v1/describejobs", Description, describe),
        _operation("/v1/listjobs", Listing, list_named),
        _operation("/v1/terminatejob", Termination, terminate),
    ]
    return Mount(path, routes=operations)


def _summary(job: Job) -> dict[str, Any]:
    return job.model_dump(
        by_alias=True, exclude_none=True, exclude={"attempts", "container"}
    )


def _operation(
    path: str, kind: type[Input], operate: Callable[[Input], dict[str, Any]]
) -> Route:
    async def endpoint(request: Request) -> JSONResponse:
        body = b"".join(
            [piece async for piece in limited_body(request, MAX_BODY_BYTES)]
        )
        try:
            return JSONResponse(operate(kind.model_validate_json(body)))
        except (ValidationError, UnknownError) as error:
            return _error("ClientException", HTTPStatus.BAD_REQUEST, error)
        except OSError as error:  # A full disk, for example. boto3 tries again.
            return _error("ServerException", HTTPStatus.INTERNAL_SERVER_ERROR, error)

    return Route(path, endpoint, methods=["POST"])


def _error(kind: str, status: HTTPStatus, error: Exception) -> JSONResponse:
    return JSONResponse({"message": str(error)}, status, {"x-amzn-errortype": kind})
