"""What `serve` says when it cannot."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local.server import serve
from tests.integration.local.conftest import PROJECT

SERVE = "import sys; from local.server import serve; sys.exit(serve(int(sys.argv[1])))"


def test_a_port_that_is_taken_is_said_plainly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-c", SERVE, str(port)]
        path = {"PYTHONPATH": f"{PROJECT}:{PROJECT / 'layers' / 'shared'}"}
        ended = subprocess.run(command, env=path, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert f"Port {port} cannot be used" in ended.stderr
    assert "make run PORT=" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_template_that_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve(0, tmp_path) == 1
    assert "template.yaml" in capsys.readouterr().err


def test_a_store_that_cannot_be_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIGITS_STORE", "ftp://nowhere/prefix")
    assert serve(0, root) == 1
    assert "ftp://nowhere/prefix" in capsys.readouterr().err
