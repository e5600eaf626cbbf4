"""The HTTP side: the API's routes, and every error as a problem document (RFC 9457)."""

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

# API Gateway's own limit.
MAX_BODY_BYTES = 10 * 2**20


class MethodNotAllowedError(DigitsError):
    """The route exists, for other methods."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    slug = "method-not-allowed"
    title = "Method not allowed"


class BodyTooLargeError(DigitsError):
    """The request's body is larger than the gateway passes on."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    slug = "body-too-large"
    title = "Body too large"


class Resource:
    """One path of the API, as an ASGI app: each method goes to its function.

    HEAD is answered as GET, without the body. API Gateway knows no HEAD where only GET
    is defined and refuses it, but here browsers, curl -I and link checkers call.
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
            scope = {**scope, "method": "GET"}  # The server itself leaves out the body.
        request = Request(scope, receive)
        pool = self._pools.get(request.method) or self._pools.get("ANY")
        if pool is None:
            raise HTTPException(
                HTTPStatus.METHOD_NOT_ALLOWED,
                headers={"Allow": ", ".join(self._methods())},
            )
        body = b"".join(
            [piece async for piece in limited_body(request, MAX_BODY_BYTES)]
        )
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
        template: its routes are served.
        pools: environments by the function's logical id.
        extra_routes: what there is only here.
        lifespan: runs from before the first request until after the last.
    """
    app = Starlette(
        routes=[*extra_routes, *_routes(template, pools)],
        exception_handlers=dict.fromkeys(
            (DigitsError, HTTPException, ClientDisconnect), _on_error
        ),
        lifespan=lifespan,
    )
    # A path with a slash at its end has a route of its own. Nothing is redirected, and
    # so no body is sent twice.
    app.router.redirect_slashes = False
    return app


async def limited_body(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The request's body in pieces.

    Raises:
        BodyTooLargeError: as soon as more than `limit` bytes have come, whatever the
            headers promise.
    """
    received = 0
    async for piece in request.stream():
        received += len(piece)
        if received > limit:
            raise BodyTooLargeError(
                f"The body is larger than {limit // 2**20} MiB. Send a smaller one."
            )
        yield piece


def problem_response(
    error: DigitsError, headers: Mapping[str, str] | None = None
) -> Response:
    """The error as an HTTP response."""
    return JSONResponse(
        error.problem(), error.status, headers, media_type="application/problem+json"
    )


def _routes(template: Template, pools: Mapping[str, Pool]) -> list[BaseRoute]:
    methods: dict[str, dict[str, Pool]] = {}
    for route in template.routes:
        methods.setdefault(route.path, {})[route.method] = pools[route.function]
    # "{" sorts after letters, so /models/latest comes before /models/{version}, as in API Gateway.
    return [
        route
        for path in sorted(methods)
        for route in _routes_of(path, methods[path], template.binary_media_types)
    ]


def _routes_of(
    path: str, pools: Mapping[str, Pool], binary_media_types: frozenset[str]
) -> list[BaseRoute]:
    """The path's own route and, as in API Gateway, the same with a slash at its end."""
    resource = Resource(path, pools, binary_media_types)
    pattern = path.replace("+}", ":path}")
    return [
        Route(pattern, resource),
        *([] if path == "/" else [Route(f"{pattern}/", resource)]),
    ]


async def _on_error(request: Request, error: Exception) -> Response:
    match error:
        case DigitsError():
            return problem_response(error)
        case HTTPException(status_code=HTTPStatus.NOT_FOUND):
            return problem_response(
                UnknownError(f"There is no route {request.url.path}. See GET /docs.")
            )
        case HTTPException():
            methods = (
                (error.headers or {})
                .get("Allow", "")
                .replace(", HEAD", "")
                .replace(", ", " or ")
            )
            detail = (
                f"{request.url.path} does not take {request.method}. Use {methods}."
            )
            return problem_response(MethodNotAllowedError(detail), error.headers)
        case _:  # The client is gone, and hears nothing.
            return Response(status_code=HTTPStatus.BAD_REQUEST)
