"""The part of AWS Batch's HTTP API that trainings need, for boto3's client under `AWS_ENDPOINT_URL_BATCH`."""

import re
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from digits.errors import DigitsError, UnknownError
from local.gateway import MAX_BODY_BYTES, limited
from local.jobs import Document, Job, Jobs, Submission

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


class AccessDeniedError(DigitsError):
    """The caller is none of the server's own functions."""

    status = HTTPStatus.FORBIDDEN
    slug = "access-denied"
    title = "Access denied"


def routes(jobs: Jobs, access_key: str | None = None) -> Mount:
    """The operations SubmitJob, DescribeJobs, ListJobs and TerminateJob on `jobs`.

    Args:
        jobs: the queue.
        access_key: the AWS_ACCESS_KEY_ID that callers sign with. Other users of this machine do not know the key.
            None takes any caller.
    """

    def submit(submission: Submission) -> dict[str, Any]:
        job = jobs.submit(submission)
        return {"jobArn": job.job_arn, "jobName": job.job_name, "jobId": job.job_id}

    def describe(description: Description) -> dict[str, Any]:
        return {"jobs": [job.to_json() for job in map(jobs.load, description.jobs) if job]}

    def list_named(listing: Listing) -> dict[str, Any]:
        return {"jobSummaryList": [_summary(job) for job in jobs.named(listing.filters[0].values)]}

    def terminate(termination: Termination) -> dict[str, Any]:
        if jobs.load(termination.job_id) is None:
            raise UnknownError(f"There is no job {termination.job_id!r}.")
        jobs.terminate(termination.job_id, termination.reason)
        return {}

    def operation(path: str, kind: type[Input], operate: Callable[[Input], dict[str, Any]]) -> Route:
        return _operation(path, kind, operate, access_key)

    operations = [
        operation("/v1/submitjob", Submission, submit),
        operation("/v1/describejobs", Description, describe),
        operation("/v1/listjobs", Listing, list_named),
        operation("/v1/terminatejob", Termination, terminate),
    ]
    return Mount(PATH, routes=operations)


def _summary(job: Job) -> dict[str, Any]:
    return job.model_dump(by_alias=True, exclude_none=True, exclude={"attempts", "container"})


def _operation(
    path: str, kind: type[Input], operate: Callable[[Input], dict[str, Any]], access_key: str | None
) -> Route:
    async def endpoint(request: Request) -> JSONResponse:
        if access_key and not _is_signed_with(access_key, request):
            raise AccessDeniedError("Only the functions of this server may use its AWS Batch. Use the API at /train.")
        body = b"".join([piece async for piece in limited(request, MAX_BODY_BYTES)])
        try:
            return JSONResponse(operate(kind.model_validate_json(body)))
        except (ValidationError, UnknownError) as error:
            return _error("ClientException", HTTPStatus.BAD_REQUEST, error)
        except OSError as error:  # A full disk, for example. boto3 tries again.
            return _error("ServerException", HTTPStatus.INTERNAL_SERVER_ERROR, error)

    return Route(path, endpoint, methods=["POST"])


def _error(kind: str, status: HTTPStatus, error: Exception) -> JSONResponse:
    return JSONResponse({"message": str(error)}, status, {"x-amzn-errortype": kind})


def _is_signed_with(access_key: str, request: Request) -> bool:
    authorization = request.headers.get("authorization", "")
    credential = re.match(r"AWS4-HMAC-SHA256 Credential=([^/]+)/", authorization)
    return credential is not None and secrets.compare_digest(credential[1].encode(), access_key.encode())
