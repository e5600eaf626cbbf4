"""`make data`: the download from a server on loopback, and the copy of a user's file."""

import hashlib
import importlib.util
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from local.cli import download
from local.cli.download import DataError
from tests.integration.conftest import ROOT

CONTENT = b"PK " + bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HANG_SECONDS = 0.3

# `digits data` with another target, and with another URL to download from.
COMMAND = """
import sys
from functools import partial
from pathlib import Path
from local.cli import app, download
app.MNIST, url = Path(sys.argv.pop(1)), sys.argv.pop(1)
download.download = partial(download.download, url=url)
app.main()
"""


class _Handler(BaseHTTPRequestHandler):
    released: threading.Event

    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if self.path == "/whole":
            self.wfile.write(CONTENT)
            return
        self.wfile.write(CONTENT[:1000])
        if self.path == "/hanging":
            self.released.wait()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of a server with the paths `/whole`, `/missing`, `/cut` and `/hanging`."""
    released = threading.Event()
    handler = type("Handler", (_Handler,), {"released": released})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        released.set()
        serving.shutdown()
        thread.join()


@pytest.fixture(params=["absent", "present"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The path to download to, with and without an older file at the path."""
    path = tmp_path / "data" / "mnist.npz"
    path.parent.mkdir()
    if request.param == "present":
        path.write_bytes(b"old")
    return path


def test_a_download_with_the_right_checksum_replaces_the_target(
    server: str, target: Path
) -> None:
    download.download(target, f"{server}/whole", SHA256)
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("path", "sha256", "reason"),
    [
        ("/whole", "0" * 64, f"its SHA-256 is {SHA256}"),
        ("/cut", SHA256, f"it ended {len(CONTENT) - 1000:,} bytes early"),
        ("/missing", SHA256, "the server answered 404"),
        ("/hanging", SHA256, "timed out"),
    ],
)
def test_a_failed_download_changes_nothing(
    server: str, target: Path, path: str, sha256: str, reason: str
) -> None:
    before = _files(target.parent)
    with pytest.raises(DataError, match=re.escape(reason)) as failed:
        download.download(target, server + path, sha256, timeout=HANG_SECONDS)
    assert "MNIST_NPZ=path/to/mnist.npz make data" in failed.value.detail
    assert _files(target.parent) == before


def test_the_download_is_the_file_of_keras() -> None:
    keras = importlib.util.find_spec("keras")
    assert keras
    assert keras.origin
    source = (Path(keras.origin).parent / "src" / "datasets" / "mnist.py").read_text()
    folder, name = download.URL.rsplit("/", 1)
    assert all(part in source for part in (f'"{folder}/"', name, download.SHA256))


def test_without_a_network_one_line_says_what_to_do(
    tmp_path: Path, refused_url: str
) -> None:
    target = tmp_path / "mnist.npz"
    done = _data(target, refused_url)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert (
        "connection refused. Use a copy with `MNIST_NPZ=path/to/mnist.npz make data`."
        in done.stderr
    )
    assert _files(tmp_path) == {}


def test_a_download_uses_the_proxy_of_the_environment(
    tmp_path: Path, refused_url: str
) -> None:
    target = tmp_path / "mnist.npz"
    done = _data(target, download.URL, HTTPS_PROXY=refused_url, NO_PROXY="")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"{download.URL} cannot be downloaded: connection refused" in done.stderr


def test_a_user_s_file_is_copied(tmp_path: Path, small_npz: Path) -> None:
    target = tmp_path / "mnist.npz"
    done = _data(target, "http://nowhere.invalid", MNIST_NPZ=str(small_npz))
    assert (done.returncode, done.stderr) == (0, "")
    assert _files(tmp_path) == {"mnist.npz": small_npz.read_bytes()}


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nowhere.npz", "does not exist. Set MNIST_NPZ"),
        ("folder.npz", "is not a file. Set MNIST_NPZ"),
        ("cut.npz", "cannot be used. The file is not an npz"),
        ("page.npz", "cannot be used. The file is not an npz"),
    ],
)
def test_a_file_that_is_not_an_npz_is_refused_in_one_line(
    tmp_path: Path, small_npz: Path, name: str, problem: str
) -> None:
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "cut.npz").write_bytes(small_npz.read_bytes()[:-100])
    (tmp_path / "page.npz").write_text("<html>")
    (tmp_path / "data").mkdir()
    done = _data(
        tmp_path / "data" / "mnist.npz",
        "http://nowhere.invalid",
        MNIST_NPZ=str(tmp_path / name),
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"{name} {problem}" in done.stderr
    assert _files(tmp_path / "data") == {}


@pytest.fixture
def refused_url() -> Iterator[str]:
    """A URL on a bound port without a listener, which refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _data(target: Path, url: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `digits data` without the proxies and the MNIST_NPZ of this environment."""
    inherited = dict(os.environ)
    inherited.pop("MNIST_NPZ", None)
    for name in os.environ:
        if name.lower().endswith("_proxy"):
            del inherited[name]
    command = [sys.executable, "-c", COMMAND, str(target), url, "data"]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=inherited | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
