"""The HTTP server of the proxy."""

import select
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.faults.rules import Book, Fault, Request

# Headers of one connection, which a proxy does not pass on (RFC 9110, section 7.6.1).
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding"})
# With this linger option, closing a connection sends RST instead of FIN.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
# A bulk upload to moto takes longer than moto's small answers.
_UPSTREAM_SECONDS = 60
# Clients open many connections at once.
_BACKLOG = 128
# How often a hanging request looks whether its client has gone.
_HANG_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Server(ThreadingHTTPServer):
    """Passes requests to `upstream`, with faults by the rules of `book`."""

    request_queue_size = _BACKLOG

    def __init__(self, upstream: str, book: Book) -> None:
        self.upstream = upstream
        self.book = book
        self.stopping = threading.Event()
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def stop(self) -> None:
        """End the server and the connections that clients keep open."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection in list(self.connections):
            # The client may have closed the connection first.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: tests make clients give up on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Status, headers and body go out together: in pieces, each piece would wait for the
    # client's delayed acknowledgement.
    wbufsize = -1
    server: Server

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
        """Answer the request, with the faults of the matching rules."""
        started = time.monotonic()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        rules = self.server.book.applying(self.command, unquote(self.path))
        time.sleep(sum(rule.seconds for rule in rules))
        faults = tuple(rule.fault for rule in rules)
        answer = self._answer(body, faults[-1] if faults else None)
        # The client must find the request in the record, so the record comes first.
        self._record(answer, faults, started)
        if answer:
            self._send(answer, truncated=Fault.TRUNCATED in faults)
            return
        if Fault.HANG in faults:
            self._wait_for_end()
        self._reset()

    do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = serve  # noqa: N815  http.server names them.

    def _answer(self, body: bytes, fault: Fault | None) -> _Answer | None:
        """The answer to the request, or None where the fault prevents an answer."""
        if fault in {Fault.HANG, Fault.RESET}:
            return None
        if fault and fault.value[0].isdigit():
            status, code = fault.value.split()
            return _error(int(status), code)
        answer = self._forward(body)
        return None if fault is Fault.LOST_REPLY else answer

    def _forward(self, body: bytes) -> _Answer:
        """The upstream's answer. The Host header stays, because the client has signed it."""
        address = urlsplit(self.server.upstream).netloc
        upstream = HTTPConnection(address, timeout=_UPSTREAM_SECONDS)
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
            return _error(HTTPStatus.BAD_GATEWAY, "BadGateway")
        finally:
            upstream.close()

    def _record(
        self, answer: _Answer | None, faults: tuple[Fault, ...], started: float
    ) -> None:
        url = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=unquote(url.path),
            query=unquote(url.query),
            status=answer.status if answer else None,
            faults=faults,
            started=started,
            ended=time.monotonic(),
        )
        self.server.book.record(request)

    def _send(self, answer: _Answer, *, truncated: bool) -> None:
        self.send_response_only(answer.status)
        names = {name.lower() for name, _ in answer.headers}
        for name, value in answer.headers:
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        if answer.status != HTTPStatus.NO_CONTENT and "content-length" not in names:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            length = len(answer.body) // 2 if truncated else len(answer.body)
            self.wfile.write(answer.body[:length])
        self.close_connection = self.close_connection or truncated
        self.wfile.flush()

    def _wait_for_end(self) -> None:
        """Return when the client has gone or the proxy stops."""
        while not self.server.stopping.is_set():
            readable, _, _ = select.select(
                [self.connection], [], [], _HANG_POLL_SECONDS
            )
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        # The server's own close would send FIN first.
        socket.close(self.connection.detach())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  http.server names it so.
        """Print nothing: the record is the log."""


def _error(status: int, code: str) -> _Answer:
    """An error in S3's format."""
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
        f"<Message>Injected by the test.</Message><RequestId>0</RequestId></Error>"
    ).encode()
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
    return _Answer(status, headers, body)
