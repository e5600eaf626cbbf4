"""The operations of AWS Batch's HTTP API that trainings need.

boto3's client calls them at `AWS_ENDPOINT_URL_BATCH`.
"""

import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from digits.errors import UnknownError
from local.api_gateway.gateway import read_body
from local.aws_batch.job_queue import Document, Job, JobQueue, SubmitJob

PATH = "/_batch"
Input = TypeVar("Input", bound=Document)


class DescribeJobs(Document):
    """The body of DescribeJobs."""

    jobs: list[str]


class TerminateJob(Document):
    """The body of TerminateJob."""

    job_id: str
    reason: str


class NameFilter(Document):
    """A filter of ListJobs, by the jobs' names."""

    name: Literal["JOB_NAME"]
    values: list[str]


class ListJobs(Document):
    """The body of ListJobs."""

    job_queue: str
    filters: list[NameFilter] = Field(min_length=1, max_length=1)


def secret_path() -> str:
    """A path for `batch_routes` that nobody can guess.

    The path alone tells the server's own functions from other callers. The id of an
    access key is not secret, and behind a reverse proxy every request comes from this
    machine.
    """
    return f"{PATH}/{secrets.token_urlsafe()}"


def batch_routes(jobs: JobQueue, path: str = PATH) -> Mount:
    """The operations SubmitJob, DescribeJobs, ListJobs and TerminateJob on a queue.

    Args:
        jobs: the queue.
        path: the prefix of the operations' paths. A caller who knows the prefix may use
            the operations.
    """
    operations = Operations(jobs)
    routes = [
        _route("/v1/submitjob", SubmitJob, operations.submit_job),
        _route("/v1/describejobs", DescribeJobs, operations.describe_jobs),
        _route("/v1/listjobs", ListJobs, operations.list_jobs),
        _route("/v1/terminatejob", TerminateJob, operations.terminate_job),
    ]
    return Mount(path, routes=routes)


class Operations:
    """The operations on a queue. Each returns the body of its response."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs

    def submit_job(self, request: SubmitJob) -> dict[str, Any]:
        """Add a job."""
        job = self._jobs.submit(request)
        return {"jobArn": job.job_arn, "jobName": job.job_name, "jobId": job.job_id}

    def describe_jobs(self, request: DescribeJobs) -> dict[str, Any]:
        """Describe jobs by id. Unknown ids are left out."""
        jobs = filter(None, map(self._jobs.load, request.jobs))
        return {"jobs": [job.to_json() for job in jobs]}

    def list_jobs(self, request: ListJobs) -> dict[str, Any]:
        """List the jobs of some names, newest first."""
        jobs = self._jobs.named(request.filters[0].values)
        return {"jobSummaryList": [_summary(job) for job in jobs]}

    def terminate_job(self, request: TerminateJob) -> dict[str, Any]:
        """Ask for a job's end.

        Raises:
            UnknownError: there is no job of this id.
        """
        if self._jobs.load(request.job_id) is None:
            raise UnknownError(f"There is no job {request.job_id!r}.")
        self._jobs.terminate(request.job_id, request.reason)
        return {}


def _summary(job: Job) -> dict[str, Any]:
    details = {"attempts", "container"}
    return job.model_dump(by_alias=True, exclude_none=True, exclude=details)


def _route(
    path: str, schema: type[Input], operation: Callable[[Input], dict[str, Any]]
) -> Route:
    async def endpoint(request: Request) -> JSONResponse:
        body = await read_body(request)
        try:
            return JSONResponse(operation(schema.model_validate_json(body)))
        except (ValidationError, UnknownError) as error:
            return _error("ClientException", HTTPStatus.BAD_REQUEST, error)
        except OSError as error:  # Such as a full disk. boto3 retries.
            return _error("ServerException", HTTPStatus.INTERNAL_SERVER_ERROR, error)

    return Route(path, endpoint, methods=["POST"])


def _error(kind: str, status: HTTPStatus, error: Exception) -> JSONResponse:
    return JSONResponse({"message": str(error)}, status, {"x-amzn-errortype": kind})
