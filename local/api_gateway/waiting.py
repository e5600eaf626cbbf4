"""`Prefer: wait=N` (RFC 7240): one request that is answered when the work that it started is over.

A function that waits holds an environment, and a few such requests would hold them all.
So none waits here. The preference is taken out of the request, and what the function
accepts (202 with a Location) is followed from outside.
"""

import asyncio
import json
import time
from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digits.requests import wait_seconds

POLL_SECONDS = 0.5
# Of all that wait together: looking one at a time and this often leaves the machine to
# other requests.
MAX_POLLS_PER_SECOND = 20
OVER = ("SUCCEEDED", "FAILED")


class Waiting:
    """An ASGI app around another one, that waits in its place.

    Args:
        app: answers 202 with a Location, where a GET shows the `status` of the work.
        max_seconds: the longest wait. Longer ones are cut to it.
    """

    def __init__(self, app: ASGIApp, max_seconds: float) -> None:
        self._app = app
        self._max_seconds = max_seconds
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._closed = asyncio.Event()

    def close(self) -> None:
        """Let nobody wait any longer: everyone is answered with the work's state as it was last seen."""
        self._closed.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        prefer = (
            ", ".join(Headers(scope=scope).getlist("prefer"))
            if scope["type"] == "http"
            else ""
        )
        seconds = min(wait_seconds(prefer), self._max_seconds)
        if not seconds or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        response = await _ask(self._app, _without(scope, b"prefer"), receive)
        if (
            response.status_code == HTTPStatus.ACCEPTED
            and "location" in response.headers
        ):
            response.body = await self._follow(scope, receive, response, seconds)
            response.headers["content-length"] = str(len(response.body))
            response.headers["preference-applied"] = prefer
            if _is_over(response.body):
                response.status_code = HTTPStatus.OK
        await response(scope, receive, send)

    async def _follow(
        self, scope: Scope, receive: Receive, accepted: Response, seconds: float
    ) -> bytes:
        """The state of the work once it is over, or the last one seen when time is up or the client is gone."""
        state = bytes(accepted.body)
        deadline = time.monotonic() + seconds
        endings = {
            asyncio.create_task(_disconnect(receive)),
            asyncio.create_task(self._closed.wait()),
        }
        self._waiting += 1
        try:
            while not _is_over(state) and (left := deadline - time.monotonic()) > 0:
                pause = max(POLL_SECONDS, self._waiting / MAX_POLLS_PER_SECOND)
                ended, _ = await asyncio.wait(
                    endings,
                    timeout=min(pause, left),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if ended:
                    break
                state = await self._look(scope, accepted.headers["location"]) or state
        finally:
            self._waiting -= 1
            for ending in endings:
                ending.cancel()
        return state

    async def _look(self, scope: Scope, location: str) -> bytes | None:
        """The state at the location; None when it cannot be seen now, which may pass."""
        get: MutableMapping[str, Any] = {
            **scope,
            "method": "GET",
            "path": unquote(location),
            "raw_path": location.encode(),
            "query_string": b"",
            "headers": [
                (name, value) for name, value in scope["headers"] if name == b"host"
            ],
        }
        async with self._turn:
            response = await _ask(self._app, get, _empty_body)
        return bytes(response.body) if response.status_code == HTTPStatus.OK else None


def _without(scope: Scope, header: bytes) -> Scope:
    return {
        **scope,
        "headers": [
            (name, value) for name, value in scope["headers"] if name != header
        ],
    }


async def _ask(app: ASGIApp, scope: Scope, receive: Receive) -> Response:
    response = Response()

    async def take(message: Message) -> None:
        if message["type"] == "http.response.start":
            response.status_code = message["status"]
            response.raw_headers = list(message["headers"])
        else:
            response.body = bytes(response.body) + message.get("body", b"")

    await app(scope, receive, take)
    return response


def _is_over(state: bytes) -> bool:
    try:
        return json.loads(state)["status"] in OVER
    except (KeyError, TypeError, ValueError):
        return False


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _empty_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
