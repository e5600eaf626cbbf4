"""An S3 endpoint on loopback: moto's server, over HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import httpx

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@contextmanager
def moto_server(bucket: str) -> Iterator[str]:
    """The URL of an endpoint with this bucket."""
    from moto.s3.responses import S3Response  # noqa: PLC0415  Both imports take a second.
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    put_object = S3Response.put_object
    lock = threading.Lock()

    def put_alone(request: S3Response) -> Any:
        with lock:
            return put_object(request)

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    # S3 checks a precondition and writes in one step, moto in two.
    with mock.patch.object(S3Response, "put_object", put_alone):
        server.start()
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        httpx.put(f"{url}/{bucket}").raise_for_status()
        try:
            yield url
        finally:
            server.stop()
