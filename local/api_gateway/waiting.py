"""`Prefer: wait=N` (RFC 7240): a request that is answered when its training has ended.

A function that waits keeps an execution environment busy, and a few such requests would
keep all environments busy. So the gateway waits instead of the function. The gateway
removes the preference from the request, and polls the Location of the answer 202.
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
# For all waiting requests together, so that polls leave the machine to other requests.
MAX_POLLS_PER_SECOND = 20
FINAL_STATUSES = ("SUCCEEDED", "FAILED")


class Waiting:
    """An ASGI app around another app, that waits instead of the other app.

    Args:
        app: answers 202 with a Location, where a GET shows the `status` of the job.
        max_seconds: the longest wait. A longer wait is shortened.
    """

    def __init__(self, app: ASGIApp, max_seconds: float) -> None:
        self._app = app
        self._max_seconds = max_seconds
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._closed = asyncio.Event()

    def close(self) -> None:
        """Answer all waiting requests now, with the last state of their jobs."""
        self._closed.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        prefer = _preference(scope)
        seconds = min(wait_seconds(prefer), self._max_seconds)
        if not seconds:
            await self._app(scope, receive, send)
            return
        response = await _ask(self._app, _without_preference(scope), receive)
        is_accepted = response.status_code == HTTPStatus.ACCEPTED
        if is_accepted and "location" in response.headers:
            response.body = await self._follow(scope, receive, response, seconds)
            response.headers["content-length"] = str(len(response.body))
            response.headers["preference-applied"] = prefer
            if _is_over(response.body):
                response.status_code = HTTPStatus.OK
        await response(scope, receive, send)

    async def _follow(
        self, scope: Scope, receive: Receive, accepted: Response, seconds: float
    ) -> bytes:
        """The final state of the job, or the last state when the time is up or the client gone."""
        state = bytes(accepted.body)
        deadline = time.monotonic() + seconds
        endings = {
            asyncio.create_task(_disconnect(receive)),
            asyncio.create_task(self._closed.wait()),
        }
        self._waiting += 1
        try:
            while not _is_over(state):
                seconds_left = deadline - time.monotonic()
                if seconds_left <= 0:
                    break
                pause = max(POLL_SECONDS, self._waiting / MAX_POLLS_PER_SECOND)
                ended, _ = await asyncio.wait(
                    endings,
                    timeout=min(pause, seconds_left),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if ended:
                    break
                state = await self._poll(scope, accepted.headers["location"]) or state
        finally:
            self._waiting -= 1
            for ending in endings:
                ending.cancel()
        return state

    async def _poll(self, scope: Scope, location: str) -> bytes | None:
        """The state at the location; None after an error, which may be temporary."""
        host = [header for header in scope["headers"] if header[0] == b"host"]
        get: MutableMapping[str, Any] = {
            **scope,
            "method": "GET",
            "path": unquote(location),
            "raw_path": location.encode(),
            "query_string": b"",
            "headers": host,
        }
        async with self._turn:
            response = await _ask(self._app, get, _empty_body)
        return bytes(response.body) if response.status_code == HTTPStatus.OK else None


def _preference(scope: Scope) -> str:
    """The Prefer header of a POST; empty for other requests."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return ""
    return ", ".join(Headers(scope=scope).getlist("prefer"))


def _without_preference(scope: Scope) -> Scope:
    headers = [header for header in scope["headers"] if header[0] != b"prefer"]
    return {**scope, "headers": headers}


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
        return json.loads(state)["status"] in FINAL_STATUSES
    except (KeyError, TypeError, ValueError):
        return False


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _empty_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
