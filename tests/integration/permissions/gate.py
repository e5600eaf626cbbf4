"""S3 and Batch behind a gate that refuses requests without permission, as AWS does."""

import re
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.aws_batch import batch_api
from local.aws_batch.job_queue import JobQueue
from tests.integration.permissions.iam import Call, Role, to_calls

METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]
# Headers of one connection, and headers that the gate's server adds itself.
HOP_BY_HOP = {
    "connection",
    "content-encoding",
    "date",
    "host",
    "server",
    "transfer-encoding",
}
START_SECONDS = 10


class Gate:
    """A server on a free port of 127.0.0.1. A client acts as the role that its access key names.

    Args:
        roles: by name.
        s3_url: the S3 behind the gate.
        jobs: the queue of Batch.

    Attributes:
        denied: the refused calls, with the role's name.
        url: S3 and Batch behind the gate.
        batch_url: the endpoint for Batch.
    """

    def __init__(self, roles: dict[str, Role], s3_url: str, jobs: JobQueue) -> None:
        self._roles = roles
        self._s3 = httpx.Client(base_url=s3_url)
        self.denied: list[tuple[str, Call]] = []
        app = Starlette(
            routes=[
                batch_api.batch_routes(jobs),
                Route("/{path:path}", self._pass_on, methods=METHODS),
            ],
            middleware=[Middleware(BaseHTTPMiddleware, dispatch=self._check)],
        )
        self._server = uvicorn.Server(
            uvicorn.Config(app, port=0, log_level="warning", lifespan="off", ws="none")
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.batch_url = self.url + batch_api.PATH

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._s3.close()

    async def _check(
        self, request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        name = _access_key(request)
        role = self._roles.get(name, Role([]))
        body, query = await request.body(), dict(request.query_params)
        calls = to_calls(request.method, request.url.path, query, body)
        denied = [(name, call) for call in calls if not role.allows(call)]
        self.denied += denied
        if denied:
            return _refusal(str(denied))
        answer = await call_next(request)
        bucket = calls[0].resource.partition("/")[0]
        if answer.status_code == HTTPStatus.NOT_FOUND and not role.may_list(bucket):
            return _refusal("The object may be missing.")
        return answer

    async def _pass_on(self, request: Request) -> Response:
        url = f"{request.url.path}?{request.url.query}".rstrip("?")
        answer = await run_in_threadpool(
            self._s3.request,
            request.method,
            url,
            headers=_end_to_end(request.headers),
            content=await request.body(),
        )
        headers = _end_to_end(answer.headers)
        return Response(answer.content, answer.status_code, headers)


def _end_to_end(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that a proxy passes on."""
    return {name: headers[name] for name in headers if name not in HOP_BY_HOP}


def _access_key(request: Request) -> str:
    """The access key of a signed request, or of a signed URL."""
    signed = request.headers.get("authorization", "")
    if not signed:
        signed = f"Credential={request.query_params['X-Amz-Credential']}"
    match = re.search(r"Credential=(\w+)/", signed)
    assert match
    return match[1]


def _refusal(message: str) -> Response:
    headers = {"x-amzn-errortype": "AccessDeniedException"}
    body = f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
    return Response(body, HTTPStatus.FORBIDDEN, headers, media_type="application/xml")
