"""The part of AWS Batch's HTTP API that trainings need, for boto3's client under `AWS_ENDPOINT_URL_BATCH`."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from digits.errors import UnknownError
from local.gateway import MAX_BODY_BYTES, limited
from local.jobs import Document, Jobs, Submission

PATH = "/_batch"
Input = TypeVar("Input", bound=Document)


class Description(Document):
    """The body of DescribeJobs."""

    jobs: list[str]


class Termination(Document):
    """The body of TerminateJob."""

    job_id: str
    reason: str


def routes(jobs: Jobs) -> Mount:
    """The operations SubmitJob, DescribeJobs and TerminateJob on `jobs`."""

    def submit(submission: Submission) -> dict[str, Any]:
        job = jobs.submit(submission)
        return {"jobArn": job.job_arn, "jobName": job.job_name, "jobId": job.job_id}

    def describe(description: Description) -> dict[str, Any]:
        return {"jobs": [job.to_json() for job in map(jobs.load, description.jobs) if job]}

    def terminate(termination: Termination) -> dict[str, Any]:
        if jobs.load(termination.job_id) is None:
            raise UnknownError(f"There is no job {termination.job_id!r}.")
        jobs.terminate(termination.job_id, termination.reason)
        return {}

    operations = [
        _operation("/v1/submitjob", Submission, submit),
        _operation("/v1/describejobs", Description, describe),
        _operation("/v1/terminatejob", Termination, terminate),
    ]
    return Mount(PATH, routes=operations)


def _operation(path: str, kind: type[Input], operate: Callable[[Input], dict[str, Any]]) -> Route:
    async def endpoint(request: Request) -> JSONResponse:
        body = b"".join([piece async for piece in limited(request, MAX_BODY_BYTES)])
        try:
            return JSONResponse(operate(kind.model_validate_json(body)))
        except (ValidationError, UnknownError) as error:
            headers = {"x-amzn-errortype": "ClientException"}
            return JSONResponse({"message": str(error)}, HTTPStatus.BAD_REQUEST, headers)

    return Route(path, endpoint, methods=["POST"])
