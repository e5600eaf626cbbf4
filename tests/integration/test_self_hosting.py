"""The commands of docs/self-hosting.md do what the document says."""

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
from tests.docs import Command, Shell, blocks, pattern

DOCUMENT = "docs/self-hosting.md"
# tests/e2e tests this section.
IN_CONTAINER = "In a container"
WITH_TLS = "Use HTTPS"
READY = "Digits is ready"
NAME = "digits.example.org"
CADDYFILE = re.compile(r"```caddyfile\n(.*?)```", re.DOTALL)
# Without these options, Caddy would install its certificate on this machine and
# listen on the ports 80 and 2019.
CADDY_OPTIONS = """{
	admin off
	skip_install_trust
	auto_https disable_redirects
}
"""
START_SECONDS = 20


@pytest.fixture
def ports() -> list[int]:
    """Two free ports."""
    with socket.socket() as first, socket.socket() as second:
        free = []
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
            free.append(int(probe.getsockname()[1]))
    return free


@pytest.fixture
def open_shell(folder: Path, ports: list[int]) -> Iterator[Callable[[], Shell]]:
    opened: list[Shell] = []

    def open_shell() -> Shell:
        log = folder.with_name(f"log{len(opened)}")
        shell = Shell(folder, log, {"PORT": str(ports[0])})
        opened.append(shell)
        return shell

    yield open_shell
    for shell in opened:
        shell.close()


def commands(*, with_tls: bool) -> list[Command]:
    """The commands of the section about HTTPS, or of the sections before, with their output."""
    commands: list[Command] = []
    for block in blocks(DOCUMENT):
        if block.section == IN_CONTAINER:
            continue
        if (block.section == WITH_TLS) is with_tls:
            commands += block.commands()
    return commands


def test_the_commands_without_https_print_the_documented_output(
    open_shell: Callable[[], Shell], ports: list[int]
) -> None:
    (serve, _), *further = commands(with_tls=False)
    open_shell().start(serve, READY)
    shell = open_shell()
    own_port = f":{ports[0]}"
    for command, output in further:
        printed = shell.run(command.replace(":3000", own_port))
        if output:
            expected = pattern(output.replace(":3000", own_port))
            assert re.fullmatch(expected, printed), (command, printed)


@contextmanager
def caddy(folder: Path, to: int, port: int) -> Iterator[Path]:
    """Run Caddy with the Caddyfile of the document and a self-signed certificate.

    Args:
        folder: takes the files of Caddy.
        to: the port of the service.
        port: where Caddy listens.

    Yields:
        The certificate of Caddy's authority.
    """
    configuration = folder / "Caddyfile"
    configuration.write_text(CADDY_OPTIONS + caddy_site(to, port))
    variables = {
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "PATH": os.environ["PATH"],
    }
    command = ["caddy", "run", "--config", str(configuration)]
    log = folder / "caddy.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--adapter", "caddyfile"],
            env=variables,
            stdout=output,
            stderr=output,
        )
    try:
        certificate = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        deadline = time.monotonic() + START_SECONDS
        while not (certificate.exists() and is_listening(port)):
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield certificate
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def caddy_site(to: int, port: int) -> str:
    """The Caddyfile of the document with the ports of the test."""
    match = CADDYFILE.search((ROOT / DOCUMENT).read_text())
    assert match
    site = match[1].replace(":3000", f":{to}")
    return site.replace(f"{NAME} {{", f"{NAME}:{port} {{\n\ttls internal")


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(
    shutil.which("caddy") is None, reason="needs Caddy: apt-get install caddy"
)
def test_the_service_has_https_behind_caddy(
    open_shell: Callable[[], Shell], folder: Path, ports: list[int], tmp_path: Path
) -> None:
    ((serve, _),) = commands(with_tls=True)
    open_shell().start(serve, READY)
    key = (folder / ".digits" / ".batch" / "api-key").read_text().strip()
    origin = f"https://{NAME}:{ports[1]}"
    with caddy(tmp_path, *ports) as certificate:
        shell = open_shell()
        curl = f"curl -sS --cacert {certificate} --resolve {NAME}:{ports[1]}:127.0.0.1"
        # The page sends the header Origin.
        headers = f"-H 'Origin: {origin}' -H 'Content-Type: image/png'"
        png = "--data-binary @example/8.png"
        predicted = shell.run(f"{curl} {headers} {png} {origin}/predict")
        assert '"prediction": 8' in predicted
        # Requests through Caddy come from 127.0.0.1, and still need the key.
        refused = shell.run(f"{curl} {origin}/train || true")
        assert "urn:digits:unauthorized" in refused
        with_key = f"{curl} -H 'x-api-key: {key}'"
        body = "-H 'Content-Type: application/json' -d '{\"name\": \"mine\"}'"
        answer = shell.run(f"{with_key} {body} {origin}/datasets")
        upload_url = json.loads(answer)["upload_url"]
        assert upload_url == f"{origin}/raw/mine.npz"
        assert shell.run(f"{with_key} -T data/starter.npz {upload_url}") == ""
        assert (folder / ".digits" / "raw" / "mine.npz").exists()
