"""Messages of `serve` that cannot start, and the end of the server."""

import os
import signal
import socket
import subprocess
import sys
import time
from http import HTTPStatus
from pathlib import Path

import pytest

from local.server import serve
from tests.integration.local.conftest import PROJECT, Gateway, eventually

SERVE = "import sys; from local.server import serve; sys.exit(serve(int(sys.argv[1]), None))"


def test_a_port_in_use_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-c", SERVE, str(port)]
        path = {"PYTHONPATH": f"{PROJECT}:{PROJECT / 'layers' / 'shared'}"}
        ended = subprocess.run(
            command, env=path, capture_output=True, text=True, timeout=20, check=False
        )
    assert ended.returncode == 1
    assert (
        f"Port {port} of 127.0.0.1 cannot be used: Address already in use"
        in ended.stderr
    )
    assert "make run PORT=" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_template_that_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serve(0, None, tmp_path) == 1
    assert "template.yaml" in capsys.readouterr().err


def test_a_store_with_an_unsupported_url_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIGITS_STORE", "ftp://nowhere/prefix")
    assert serve(0, None, root) == 1
    assert "ftp://nowhere/prefix" in capsys.readouterr().err


def test_temporary_files_of_killed_writers_are_removed(root: Path) -> None:
    left = root / ".digits" / "datasets" / "x.tfrecord#1"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"unfinished")
    os.utime(left, (0, 0))
    Gateway(root).stop()
    assert not left.exists()


@pytest.mark.parametrize("fails", [False, True])
def test_the_starter_set_is_converted_before_the_server_is_ready(
    root: Path,
    fails: bool,  # noqa: FBT001
) -> None:
    (root / "data").mkdir()
    (root / "data" / "starter.npz").write_bytes(b"starter")
    convert = root / "functions" / "convert" / "app.py"
    working = convert.read_text()
    if fails:
        convert.write_text("raise OSError('It passes.')")
    gateway = Gateway(root)
    try:
        assert len(gateway.events("aws.s3")) == (0 if fails else 1)
        assert ("Object Created was not handled" in gateway.log.read_text()) is fails
        convert.write_text(working)
        (event,) = eventually(lambda: gateway.events("aws.s3"))
        assert event["detail"]["object"]["key"] == "raw/starter.npz"
        time.sleep(1)  # Several looks of the watcher.
        assert len(gateway.events("aws.s3")) == 1
    finally:
        gateway.stop()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_server_says_that_running_trainings_continue(
    own_gateway: Gateway, how: signal.Signals
) -> None:
    own_gateway.stop(how)
    assert own_gateway.process.returncode == 0
    assert "Stopped. A running training continues" in own_gateway.log.read_text()
    assert "Traceback" not in own_gateway.log.read_text()


def test_a_server_without_training_refuses_trainings_only(root: Path) -> None:
    (root / "training.py").unlink()
    key = {"x-api-key": "a-key-of-the-tests"}
    gateway = Gateway(root, DIGITS_API_KEY=key["x-api-key"])
    try:
        assert gateway.client.post("/train").status_code == HTTPStatus.UNAUTHORIZED
        for path in ("/train", "/train/"):
            answer = gateway.client.post(
                path, headers=key | {"Prefer": "wait=5", "Idempotency-Key": "any"}
            )
            assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["type"] == "urn:digits:training-unavailable"
            assert "container image `digits`" in answer.json()["detail"]
        assert (
            gateway.client.get("/train/newest", headers=key).status_code
            == HTTPStatus.OK
        )
        assert gateway.client.delete("/train", headers=key).headers["allow"] == "POST"
        assert (
            gateway.client.put("/raw/mine.npz", content=b"npz", headers=key).status_code
            == HTTPStatus.OK
        )
        eventually(lambda: gateway.events("aws.s3"))
    finally:
        gateway.stop()
