"""The HTTP side: the routes of the API, and every error as a problem document (RFC 9457)."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from digits.errors import DigitsError, UnknownError
from local.api_gateway import events
from local.aws_lambda.pool import Pool
from local.template import Template

# API Gateway's quota for a payload.
MAX_BODY_BYTES = 10 * 2**20


class MethodNotAllowedError(DigitsError):
    """The route exists, but not for this method."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    slug = "method-not-allowed"
    title = "Method not allowed"


class BodyTooLargeError(DigitsError):
    """The body of the request exceeds the limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    slug = "body-too-large"
    title = "Body too large"


class Resource:
    """One path of the API as an ASGI app, which calls the function of each method.

    The answer to HEAD is the answer to GET without the body. API Gateway refuses HEAD
    where only GET is defined, but browsers, curl -I and link checkers send HEAD here.
    """

    def __init__(
        self, path: str, pools: Mapping[str, Pool], binary_media_types: frozenset[str]
    ) -> None:
        self._path = path
        self._pools = pools
        self._binary_media_types = binary_media_types

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] == "HEAD" and "GET" in self._pools:
            # uvicorn leaves out the body.
            scope = {**scope, "method": "GET"}
        request = Request(scope, receive)
        pool = self._pools.get(request.method) or self._pools.get("ANY")
        if pool is None:
            allow = {"Allow": ", ".join(self._methods())}
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers=allow)
        body = await read_body(request)
        event = events.to_event(request, self._path, body, self._binary_media_types)
        response = events.to_response(await pool.invoke(event))
        await response(scope, receive, send)

    def _methods(self) -> list[str]:
        head = {"HEAD"} if "GET" in self._pools else set()
        return sorted(head | self._pools.keys())


def application(
    template: Template,
    pools: Mapping[str, Pool],
    extra_routes: list[BaseRoute],
    lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]],
) -> Starlette:
    """The gateway.

    Args:
        template: has the routes of the API.
        pools: execution environments by the function's logical id.
        extra_routes: routes that only the local server has.
        lifespan: runs from before the first request until after the last request.
    """
    errors = (DigitsError, HTTPException, ClientDisconnect)
    app = Starlette(
        routes=[*extra_routes, *_routes(template, pools)],
        exception_handlers=dict.fromkeys(errors, _on_error),
        lifespan=lifespan,
    )
    # A path with a slash at its end has its own route. A redirect would make clients
    # send the body twice.
    app.router.redirect_slashes = False
    return app


async def limited_body(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body of a request in pieces.

    Raises:
        BodyTooLargeError: more than `limit` bytes have arrived. The Content-Length
            header is not trusted.
    """
    received = 0
    async for piece in request.stream():
        received += len(piece)
        if received > limit:
            raise BodyTooLargeError(
                f"The body exceeds the limit of {limit // 2**20} MiB. Send a smaller body."
            )
        yield piece


async def read_body(request: Request) -> bytes:
    """The whole body of a request.

    Raises:
        BodyTooLargeError: the body exceeds the limit of API Gateway.
    """
    return b"".join([piece async for piece in limited_body(request, MAX_BODY_BYTES)])


def problem_response(
    error: DigitsError, headers: Mapping[str, str] | None = None
) -> Response:
    """An error as an HTTP response."""
    return JSONResponse(
        error.problem(), error.status, headers, media_type="application/problem+json"
    )


def _routes(template: Template, pools: Mapping[str, Pool]) -> list[BaseRoute]:
    methods: dict[str, dict[str, Pool]] = {}
    for route in template.routes:
        methods.setdefault(route.path, {})[route.method] = pools[route.function]
    routes: list[BaseRoute] = []
    # "{" sorts after letters. So /models/latest precedes /models/{version}, as in API
    # Gateway.
    for path in sorted(methods):
        resource = Resource(path, methods[path], template.binary_media_types)
        routes += _routes_of(path, resource)
    return routes


def _routes_of(path: str, resource: Resource) -> list[BaseRoute]:
    """The path's own route and, as in API Gateway, a route with a slash at the end."""
    pattern = path.replace("+}", ":path}")
    if path == "/":
        return [Route(pattern, resource)]
    return [Route(pattern, resource), Route(f"{pattern}/", resource)]


async def _on_error(request: Request, error: Exception) -> Response:
    match error:
        case DigitsError():
            return problem_response(error)
        case HTTPException(status_code=HTTPStatus.NOT_FOUND):
            detail = f"There is no route {request.url.path}. See GET /docs."
            return problem_response(UnknownError(detail))
        case HTTPException():
            headers = error.headers or {}
            methods = headers.get("Allow", "").replace(", HEAD", "")
            detail = f"Use {methods.replace(', ', ' or ')} at {request.url.path}."
            return problem_response(MethodNotAllowedError(detail), headers)
        case _:  # The client has disconnected, and nobody reads the response.
            return Response(status_code=HTTPStatus.BAD_REQUEST)
