"""Uploads over HTTP: they land in the store whole or not at all, and are announced."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.local.conftest import Gateway, eventually

SIZE = 25 << 20  # More than the store's writer keeps in memory.


def files(gateway: Gateway) -> list[str]:
    return sorted(path.name for path in (gateway.root / ".digits" / "raw").glob("*"))


def test_an_upload_lands_in_the_store_and_is_announced_once(gateway: Gateway) -> None:
    content = bytes(range(256)) * (SIZE >> 8)
    assert (
        gateway.client.put("/raw/whole.npz", content=content).status_code
        == httpx.codes.OK
    )
    assert (gateway.root / ".digits" / "raw" / "whole.npz").read_bytes() == content
    event = eventually(lambda: gateway.events("aws.s3"))[0]
    assert event["detail"]["object"]["key"] == "raw/whole.npz"
    assert event["detail"]["object"]["size"] == SIZE
    # What is copied into the folder is announced after two looks of the watcher, in
    # which it sees the upload too.
    (gateway.root / ".digits" / "raw" / "copied.npz").write_bytes(b"copied")
    eventually(lambda: len(gateway.events("aws.s3")) > 1)
    announced = [event["detail"]["object"]["key"] for event in gateway.events("aws.s3")]
    assert announced == ["raw/whole.npz", "raw/copied.npz"]


@pytest.mark.parametrize(
    "name", ["Upper", "1digit", "dotted.name", "a" * 64, "%2E%2E", "new%0Aline"]
)
def test_a_name_that_no_dataset_can_have_is_refused(
    gateway: Gateway, name: str
) -> None:
    before = files(gateway)
    assert gateway.client.put(f"/raw/{name}.npz", content=b"x").status_code in (
        404,
        422,
    )
    assert files(gateway) == before


def test_an_upload_that_breaks_off_leaves_nothing(gateway: Gateway) -> None:
    before = files(gateway)
    url = httpx.URL(gateway.url)
    with socket.create_connection((url.host, url.port or 0)) as connection:
        head = f"PUT /raw/half.npz HTTP/1.1\r\nHost: {url.netloc.decode()}\r\n"
        head += f"Content-Length: {2 * SIZE}\r\n\r\n"
        connection.sendall(head.encode() + bytes(SIZE))
        eventually(
            lambda: files(gateway) != before
        )  # It is on its way, under a name that no listing shows.
    eventually(lambda: files(gateway) == before)
    assert "Exception in ASGI" not in gateway.log.read_text()


def test_an_upload_over_the_limit_leaves_nothing(gateway: Gateway) -> None:
    before = files(gateway)

    def endless() -> Iterator[bytes]:
        piece = bytes(1 << 20)
        for _ in range(513):
            yield piece

    answer = gateway.client.put("/raw/huge.npz", content=endless())
    assert answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
    assert answer.headers["content-type"] == "application/problem+json"
    eventually(lambda: files(gateway) == before)


def test_the_starter_dataset_is_there_in_an_empty_store_only(root: Path) -> None:
    (root / "data").mkdir()
    (root / "data" / "starter.npz").write_bytes(b"starter")
    for content in (b"starter", b"mine"):
        gateway = Gateway(root)
        try:
            path = root / ".digits" / "raw" / "starter.npz"
            assert path.read_bytes() == content
            path.write_bytes(b"mine")
        finally:
            gateway.stop()
