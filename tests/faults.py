"""A proxy before an S3 endpoint that does to requests what networks and S3 do: delays, hangs, errors, lost replies.

The client that is tested speaks to the proxy, and the proxy to moto's server. Rules say
which requests are harmed, and how. Rules come and go while the proxy runs, and the
proxy keeps a list of the requests that it saw.
"""

import random
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import unquote, urlsplit

import pytest

from digits.store import Store

# Headers of one connection, which a proxy does not pass on (RFC 9110, section 7.6.1).
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding"})
# With this linger option, closing a connection sends RST rather than FIN.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
# A bulk upload to moto takes longer than its small answers.
_UPSTREAM_SECONDS = 60


class Fault(StrEnum):
    """What happens to a request."""

    LATENCY = "latency"
    """The request waits for the rule's `seconds`. Then other rules apply, or the upstream answers."""
    HANG = "hang"
    """Nobody answers: the request ends when the client gives up or the proxy closes. Nothing takes effect."""
    INTERNAL_ERROR = "500 InternalError"
    SLOW_DOWN = "503 SlowDown"
    TOO_MANY_REQUESTS = "429 TooManyRequests"
    CONDITIONAL_CONFLICT = "409 ConditionalRequestConflict"
    PRECONDITION_FAILED = "412 PreconditionFailed"
    """Each of these errors is answered as S3 words it, and nothing takes effect."""
    RESET = "reset"
    """The connection is reset, and nothing takes effect."""
    LOST_REPLY = "lost reply"
    """The request takes effect, and the connection is reset instead of an answer."""
    TRUNCATED = "truncated"
    """The answer has its full Content-Length and half of its bytes. Then the connection closes."""


# Status and S3's code.
_ERRORS = {fault: fault.value.split() for fault in Fault if fault.value[0].isdigit()}


class Request(NamedTuple):
    """A request that the proxy saw: what the client asked for, the status of the answer, and what was done to it.

    `status` is None where the client got no answer. `faults` is empty for a request
    that passed unharmed. `begun` and `ended` are by `time.monotonic`.
    """

    method: str
    path: str
    query: str
    status: int | None
    faults: tuple[Fault, ...]
    begun: float
    ended: float


@dataclass
class Rule:
    """Harms the requests that match, `times` of them at most, each with the given probability."""

    fault: Fault
    method: re.Pattern[str]
    key: re.Pattern[str]
    times: int | None
    probability: float
    seconds: float
    random: random.Random
    hits: int = 0

    def strikes(self, method: str, target: str) -> bool:
        """Whether this request is harmed; such a request counts in `hits`."""
        if self.times is not None and self.hits >= self.times:
            return False
        if not (self.method.fullmatch(method) and self.key.search(target)):
            return False
        if self.random.random() >= self.probability:
            return False
        self.hits += 1
        return True


@dataclass
class FaultProxy:
    """An HTTP server on loopback that passes requests to `upstream`, harmed as the rules say.

    Use it as a context manager. `url` is the endpoint for the client.
    """

    upstream: str
    url: str = field(init=False)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._requests: list[Request] = []
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        # The default interval is 0.5 s, which every test would wait for at its end.
        threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def add(  # noqa: PLR0913  Each is a keyword with a default.
        self,
        fault: Fault,
        *,
        method: str = ".*",
        key: str = "",
        times: int | None = None,
        probability: float = 1,
        seed: int = 0,
        seconds: float = 0,
    ) -> Rule:
        """Begin to harm requests. Among rules that match, the first that is not LATENCY decides.

        Args:
            fault: what happens.
            method: a regular expression for the whole method.
            key: a regular expression for a part of `/bucket/prefix/key?query`, decoded.
            times: harm this many requests; None for all.
            probability: harm this share of the requests that match.
            seed: for the draws of `probability`.
            seconds: how long LATENCY lasts.

        Returns:
            The rule, whose `hits` counts the requests that were harmed.
        """
        draws = random.Random(seed)  # noqa: S311  It decides about tests.
        rule = Rule(
            fault,
            re.compile(method),
            re.compile(key),
            times,
            probability,
            seconds,
            draws,
        )
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Harm no further requests. Requests that hang go on hanging."""
        with self._lock:
            self._rules.clear()

    def requests(self, method: str = ".*", key: str = "") -> list[Request]:
        """The requests since the start or the last `forget`; arguments as for `add`."""
        with self._lock:
            seen = list(self._requests)
        return [
            it
            for it in seen
            if re.fullmatch(method, it.method)
            and re.search(key, f"{it.path}?{it.query}")
        ]

    def forget(self) -> None:
        """Begin the list of requests anew."""
        with self._lock:
            self._requests.clear()

    def draw(self, method: str, target: str) -> list[Rule]:
        """The rules that strike this request: latencies, and then the one that decides, if any."""
        struck = []
        with self._lock:
            for rule in self._rules:
                if rule.strikes(method, target):
                    struck.append(rule)
                    if rule.fault is not Fault.LATENCY:
                        break
        return struck

    def record(self, request: Request) -> None:
        """Add to the list of requests."""
        with self._lock:
            self._requests.append(request)


class _Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class _Server(ThreadingHTTPServer):
    # Clients open many connections at once.
    request_queue_size = 128

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.stopping = threading.Event()
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def stop(self) -> None:
        """End the server and the connections that clients keep open."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # The client was faster.

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Be silent about clients that go away: a client that gives up is what tests provoke."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Status, headers and body go out together: in pieces, each would wait for the
    # client's delayed acknowledgement.
    wbufsize = -1
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def handle_expect_100(self) -> bool:
        """Ask for the body at once."""
        answered = super().handle_expect_100()
        self.wfile.flush()
        return answered

    def serve(self) -> None:
        """Do to the request what the rules say."""
        begun = time.monotonic()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        struck = self.server.proxy.draw(self.command, unquote(self.path))
        faults = tuple(rule.fault for rule in struck)
        time.sleep(sum(rule.seconds for rule in struck))
        answer = self._outcome(body, faults[-1] if faults else None)
        # Before the client can go on, so that it finds its request in the list.
        self.server.proxy.record(
            Request(
                method=self.command,
                path=unquote(url.path),
                query=unquote(url.query),
                status=answer.status if answer else None,
                faults=faults,
                begun=begun,
                ended=time.monotonic(),
            )
        )
        if answer:
            self._send(answer, truncated=Fault.TRUNCATED in faults)
            return
        if Fault.HANG in faults:
            self._wait_for_end()
        self._reset()

    do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = serve  # noqa: N815  http.server names them.

    def _outcome(self, body: bytes, fault: Fault | None) -> _Answer | None:
        """Let the request take effect where it should; what to answer, None for no answer."""
        if fault in {Fault.HANG, Fault.RESET}:
            return None
        if fault in _ERRORS:
            return self._error(*_ERRORS[fault])
        answer = self._forward(body)
        return None if fault is Fault.LOST_REPLY else answer

    def _forward(self, body: bytes) -> _Answer:
        """The upstream's answer. The Host header stays, because the client has signed it."""
        upstream = HTTPConnection(
            urlsplit(self.server.proxy.upstream).netloc, timeout=_UPSTREAM_SECONDS
        )
        try:
            upstream.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    upstream.putheader(name, value)
            upstream.endheaders(body or None)
            response = upstream.getresponse()
            return _Answer(response.status, response.getheaders(), response.read())
        except (HTTPException, OSError):
            return self._error("502", "BadGateway")
        finally:
            upstream.close()

    def _error(self, status: str, code: str) -> _Answer:
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
            f"<Message>Injected by the test.</Message><RequestId>0</RequestId></Error>"
        ).encode()
        headers = [
            ("Content-Type", "application/xml"),
            ("Content-Length", str(len(body))),
        ]
        return _Answer(int(status), headers, body)

    def _send(self, answer: _Answer, *, truncated: bool) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        if answer.status != HTTPStatus.NO_CONTENT and "content-length" not in {
            it.lower() for it, _ in answer.headers
        }:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(
                answer.body[: len(answer.body) // 2] if truncated else answer.body
            )
        self.close_connection = self.close_connection or truncated
        self.wfile.flush()

    def _wait_for_end(self) -> None:
        """Return when the client has gone or the proxy stops."""
        while not self.server.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.02)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        # The server would first say FIN, which is a friendlier end.
        socket.close(self.connection.detach())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  http.server names it so.
        """Print nothing: `requests` is the log."""


@pytest.fixture
def faults(
    s3_store: Store, moto_server: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FaultProxy]:
    """A proxy before moto, with AWS_ENDPOINT_URL set to it. `s3_store` speaks to moto itself."""
    del s3_store  # It reads AWS_ENDPOINT_URL when it opens, so it has to open first.
    with FaultProxy(moto_server) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


@pytest.fixture
def faulty_store(s3_store: Store, faults: FaultProxy) -> Store:
    """The same objects as `s3_store`, by way of the proxy `faults`."""
    assert faults.url
    return Store(s3_store.url)
