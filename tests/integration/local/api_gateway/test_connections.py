"""Clients that are slow on purpose, against a gateway with deadlines of two seconds."""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import chain, repeat

import httpx
import pytest

from tests.integration.local.conftest import Gateway, eventually

HALF_OPEN = 1000
HEAD = b'POST /predict?more={"body":""} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n'
LARGE = HEAD.replace(b"100", b"1000000")


@pytest.fixture(scope="module", autouse=True)
def _descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))


def connect(gateway: Gateway) -> socket.socket:
    url = httpx.URL(gateway.url)
    return socket.create_connection((url.host, url.port or 0), timeout=10)


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side has closed the connection."""
    connection.settimeout(0)
    try:
        return not connection.recv(1 << 16)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@pytest.mark.parametrize("descriptors", [None, 512])
@pytest.mark.parametrize("begun", [b"", b"GET / HT", HEAD])
def test_1000_half_open_connections_do_not_block_other_clients(
    own_gateway: Gateway, begun: bytes, descriptors: int | None
) -> None:
    if descriptors:
        resource.prlimit(
            own_gateway.process.pid, resource.RLIMIT_NOFILE, (descriptors, descriptors)
        )
    with ExitStack() as stack:
        connections = [
            stack.enter_context(connect(own_gateway)) for _ in range(HALF_OPEN)
        ]
        for connection in connections:
            with suppress(ConnectionError):
                connection.sendall(begun)
        started = time.perf_counter()
        answer = httpx.get(f"{own_gateway.url}/predict", timeout=10)
        assert answer.status_code == httpx.codes.OK
        assert time.perf_counter() - started < 1
        eventually(lambda: all(map(is_closed, connections)))
    assert "Traceback" not in own_gateway.log.read_text()


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(repeat(b""), id="nothing"),
        pytest.param(chain([b"GET /predict HTTP/1.1\r\nX: "], repeat(b"x")), id="head"),
        pytest.param(chain([HEAD], repeat(b"x")), id="body"),
        pytest.param(
            chain([LARGE, bytes(1 << 19)], repeat(b"")), id="body-after-a-fast-start"
        ),
        pytest.param(
            chain([b"GET /predict HTTP/1.1\r\nHost: localhost\r\n\r\n"], repeat(b"G")),
            id="next-head",
        ),
    ],
)
def test_a_slow_client_is_cut_off(gateway: Gateway, pieces: Iterator[bytes]) -> None:
    started = time.monotonic()
    with connect(gateway) as connection:

        def is_cut_off() -> bool:
            with suppress(ConnectionError):
                connection.sendall(next(pieces))
            time.sleep(0.1)
            return is_closed(connection)

        eventually(is_cut_off, 6)
    assert time.monotonic() - started > 1.5


def test_a_client_that_does_not_read_is_cut_off(gateway: Gateway) -> None:
    body = bytes(5 << 20)
    with connect(gateway) as connection:
        headers = f"Host: localhost\r\nContent-Type: image/png\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(
            f"POST /predict?bytes=1 HTTP/1.1\r\n{headers}\r\n".encode() + body
        )
        time.sleep(5)
        received = 0
        with suppress(ConnectionError):
            while piece := connection.recv(1 << 20):
                received += len(piece)
    assert received < len(body)


def test_a_long_upload_that_goes_on_is_taken(gateway: Gateway) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(6):
            time.sleep(0.5)
            yield bytes(1 << 16)

    answer = gateway.client.put("/raw/long.npz", content=pieces())
    assert answer.status_code == httpx.codes.OK
