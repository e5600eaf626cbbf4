"""A server in a process of its own."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 60
# sam first removes its containers.
STOP_SECONDS = 60


@contextmanager
def serve(command: list[str], host: str, log: Path) -> Iterator[str]:
    """Run a server on a free port. Gives the URL; the output goes to `log`."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*command, "--host", host, "--port", str(port)], stdout=out, stderr=out
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _listens(host, port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield f"http://{host}:{port}"
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0
