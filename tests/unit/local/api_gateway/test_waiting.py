import asyncio
import json
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from local.api_gateway import waiting
from local.api_gateway.waiting import Waiting


class App:
    """An application that accepts a job and shows the states of the job in order."""

    def __init__(self, *states: tuple[int, str]) -> None:
        self.states = list(states)
        self.requests: list[tuple[str, str]] = []
        self.headers: list[dict[bytes, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests.append((scope["method"], scope["path"]))
        self.headers.append(dict(scope["headers"]))
        await receive()
        status, state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        headers = [(b"location", b"/train/1")] if status == 202 else []
        await send(
            {"type": "http.response.start", "status": status, "headers": headers}
        )
        await send(
            {
                "type": "http.response.body",
                "body": json.dumps({"status": state}).encode(),
            }
        )


def ask(app: App, prefer: str = "wait=60", method: str = "POST", end: str = "") -> Any:
    """The status, headers and body of the answer to a request that client or gateway may end."""
    sent: list[Message] = []

    async def run() -> None:
        around = Waiting(app, 3600)
        inbox: asyncio.Queue[Message] = asyncio.Queue()
        inbox.put_nowait({"type": "http.request", "body": b"", "more_body": False})

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [
            (b"host", b"localhost"),
            (b"prefer", prefer.encode()),
            (b"content-type", b"application/json"),
        ]
        scope = {
            "type": "http",
            "method": method,
            "path": "/train",
            "raw_path": b"/train",
            "headers": headers,
        }
        answer = asyncio.create_task(around(scope, inbox.get, send))
        await asyncio.sleep(0.1)
        if end == "client":
            inbox.put_nowait({"type": "http.disconnect"})
        if end == "gateway":
            around.close()
        await asyncio.wait_for(answer, 5)

    asyncio.run(run())
    start, body = sent
    return start["status"], dict(start["headers"]), json.loads(body["body"])["status"]


@pytest.fixture(autouse=True)
def _without_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(waiting, "MAX_POLLS_PER_SECOND", 1000)


def test_the_gateway_polls_the_location_until_the_job_ends() -> None:
    app = App((202, "SUBMITTED"), (200, "RUNNING"), (200, "FAILED"))
    status, headers, state = ask(app, "respond-async, wait=60")
    assert (status, state) == (200, "FAILED")
    assert headers[b"location"] == b"/train/1"
    assert headers[b"preference-applied"] == b"respond-async, wait=60"
    assert app.requests == [
        ("POST", "/train"),
        ("GET", "/train/1"),
        ("GET", "/train/1"),
    ]
    assert b"prefer" not in app.headers[0]
    assert app.headers[1] == {b"host": b"localhost"}


def test_a_job_that_ends_at_once_is_not_polled() -> None:
    app = App((202, "SUCCEEDED"))
    status, _, state = ask(app)
    assert (status, state) == (200, "SUCCEEDED")
    assert len(app.requests) == 1


def test_polling_continues_after_errors() -> None:
    app = App((202, "SUBMITTED"), (503, "?"), (404, "?"), (200, "SUCCEEDED"))
    status, _, state = ask(app)
    assert (status, state) == (200, "SUCCEEDED")


@pytest.mark.parametrize("end", ["client", "gateway"])
def test_polling_ends_with_the_client_and_with_the_gateway(end: str) -> None:
    app = App((202, "SUBMITTED"), (200, "RUNNING"))
    status, _, state = ask(app, end=end)
    assert (status, state) == (202, "RUNNING")


@pytest.mark.parametrize(
    ("prefer", "method"),
    [("", "POST"), ("wait=0", "POST"), ("respond-async", "POST"), ("wait=9", "GET")],
)
def test_other_requests_reach_the_application_unchanged(
    prefer: str, method: str
) -> None:
    app = App((202, "SUBMITTED"))
    status, headers, _ = ask(app, prefer, method)
    assert (status, b"preference-applied" in headers) == (202, False)
    assert app.headers[0][b"prefer"] == prefer.encode()


def test_a_response_other_than_202_is_returned_at_once() -> None:
    assert ask(App((422, "?")))[0] == 422
