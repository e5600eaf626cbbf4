"""docs/self-hosting.md, pasted into a shell block by block."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs import Shell, blocks, pattern

DOCUMENT = "docs/self-hosting.md"
# tests/e2e is about it.
IN_CONTAINER = "In a container"
WITH_TLS = "Use HTTPS"
READY = "Digits is ready"
NAME = "digits.example.org"
CADDYFILE = re.compile(r"```caddyfile\n(.*?)```", re.DOTALL)
# No certificate of the outside world's, no port of the system's, and nothing installed.
CADDY_OPTIONS = (
    "{\n\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects\n}\n"
)
START_SECONDS = 20


@pytest.fixture
def ports() -> list[int]:
    """Two that are free."""
    with socket.socket() as first, socket.socket() as second:
        found = []
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
            found.append(int(probe.getsockname()[1]))
    return found


@pytest.fixture
def open_shell(folder: Path, ports: list[int]) -> Iterator[Callable[[], Shell]]:
    opened: list[Shell] = []

    def open_shell() -> Shell:
        opened.append(
            Shell(
                folder, folder.with_name(f"log{len(opened)}"), {"PORT": str(ports[0])}
            )
        )
        return opened[-1]

    yield open_shell
    for shell in opened:
        shell.close()


def commands(*, with_tls: bool) -> list[tuple[str, str]]:
    found = [block for block in blocks(DOCUMENT) if block.section != IN_CONTAINER]
    return [
        command
        for block in found
        if (block.section == WITH_TLS) is with_tls
        for command in block.commands()
    ]


def test_it_runs_as_pasted(open_shell: Callable[[], Shell], ports: list[int]) -> None:
    serve, *others = commands(with_tls=False)
    open_shell().start(serve[0], READY)
    shell = open_shell()
    for command, output in others:
        answer = shell.run(command.replace(":3000", f":{ports[0]}"))
        if output:
            assert re.fullmatch(
                pattern(output.replace(":3000", f":{ports[0]}")), answer
            ), (command, answer)


@contextmanager
def caddy(folder: Path, to: int, port: int) -> Iterator[Path]:
    """Caddy with the document's Caddyfile, on a free port, with a certificate of its own.

    Yields:
        The certificate of its authority.
    """
    found = CADDYFILE.search((ROOT / DOCUMENT).read_text())
    assert found
    site = (
        found[1]
        .replace(f"{NAME} {{", f"{NAME}:{port} {{\n\ttls internal")
        .replace(":3000", f":{to}")
    )
    (folder / "Caddyfile").write_text(CADDY_OPTIONS + site)
    data = {
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "PATH": os.environ["PATH"],
    }
    command = [
        "caddy",
        "run",
        "--config",
        str(folder / "Caddyfile"),
        "--adapter",
        "caddyfile",
    ]
    with (folder / "caddy.log").open("wb") as log:
        process = subprocess.Popen(command, env=data, stdout=log, stderr=log)
    try:
        certificate = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        deadline = time.monotonic() + START_SECONDS
        while not (certificate.exists() and _listens(port)):
            assert time.monotonic() < deadline, (folder / "caddy.log").read_text()
            time.sleep(0.05)
        yield certificate
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(
    shutil.which("caddy") is None, reason="needs Caddy: apt-get install caddy"
)
def test_behind_caddy_it_is_https(
    open_shell: Callable[[], Shell], folder: Path, ports: list[int], tmp_path: Path
) -> None:
    ((serve, _),) = commands(with_tls=True)
    open_shell().start(serve, READY)
    key = (folder / ".digits" / ".batch" / "api-key").read_text().strip()
    origin = f"https://{NAME}:{ports[1]}"
    with caddy(tmp_path, *ports) as certificate:
        shell = open_shell()
        curl = f"curl -sS --cacert {certificate} --resolve {NAME}:{ports[1]}:127.0.0.1"
        page_asks = (
            f"-H 'Origin: {origin}' -H 'Content-Type: image/png' "
            "--data-binary @example/8.png"
        )
        assert '"prediction": 8' in shell.run(f"{curl} {page_asks} {origin}/predict")
        # Caddy's address is this machine's, and opens nothing.
        refused = f"{curl} {origin}/train || true"
        assert "urn:digits:unauthorized" in shell.run(refused)
        named = "-H 'Content-Type: application/json' -d '{\"name\": \"mine\"}'"
        upload = json.loads(
            shell.run(f"{curl} -H 'x-api-key: {key}' {named} {origin}/datasets")
        )["upload_url"]
        assert upload == f"{origin}/raw/mine.npz"
        assert (
            shell.run(f"{curl} -T data/starter.npz -H 'x-api-key: {key}' {upload}")
            == ""
        )
        assert (folder / ".digits" / "raw" / "mine.npz").exists()
