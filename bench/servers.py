"""Services under load on all cores, one after the other: requests per second, and latency."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Figures, SkippedError
from bench.setting import PEERS, PEERS_PYTHON, Setting
from local.checkout import ROOT

CONNECTIONS = (1, 8, 64)
START_SECONDS = 120
STOP_SECONDS = 30
WARM_UP_SECONDS = 2
LOAD_SECONDS = 4

_SERVE = "import sys; from local.server import serve; serve(int(sys.argv[1]), None)"
_BENTOML = PEERS_PYTHON.parent / "bentoml"
# The command of each service, without the port, which follows as the last argument.
COMMANDS: dict[str, list[str | Path]] = {
    "digits": [sys.executable, "-c", _SERVE],
    "fastapi": [
        PEERS_PYTHON,
        "-m",
        "uvicorn",
        "fastapi_keras:app",
        "--workers",
        "2",
        "--log-level",
        "error",
        "--port",
    ],
    "litserve": [PEERS_PYTHON, PEERS / "litserve_keras.py"],
    "bentoml": [PEERS_PYTHON, _BENTOML, "serve", "bentoml_keras:Digits", "--port"],
}


@dataclass(frozen=True)
class Body:
    """What a request sends."""

    file: Path
    media_type: str


@dataclass(frozen=True)
class Load:
    """What a service answered under load.

    Attributes:
        rate: requests per second.
        p50: median of the latency, in milliseconds.
        p99: 99th percentile of the latency, in milliseconds.
    """

    rate: float
    p50: float
    p99: float


def measure(setting: Setting, rounds: int) -> Figures:
    """Start each service in turns, and load it with each number of connections after a warm-up."""
    if not shutil.which("wrk"):
        raise SkippedError(
            "It needs wrk, which makes the load. On Debian and Ubuntu: apt-get install wrk"
        )
    png = Body(setting.small, "image/png")
    bodies = dict.fromkeys(COMMANDS, png) | {"litserve": _as_json(setting)}
    figures: Figures = defaultdict(list)
    for _ in range(rounds):
        for name, body in bodies.items():
            with _running(name, setting, body) as url:
                _apply_load(url, body, max(CONNECTIONS), WARM_UP_SECONDS)
                for connections in CONNECTIONS:
                    load = _apply_load(url, body, connections, LOAD_SECONDS)
                    section = f"serve-{connections}"
                    figures[f"{section}.{name}.requests/s"].append(load.rate)
                    figures[f"{section}-p50.{name}.ms"].append(load.p50)
                    figures[f"{section}-p99.{name}.ms"].append(load.p99)
    return figures


def _as_json(setting: Setting) -> Body:
    """The PNG for LitServe, which reads JSON and forms only."""
    file = setting.folder / "litserve.json"
    encoded = base64.b64encode(setting.small.read_bytes()).decode()
    file.write_text(json.dumps({"image": encoded}))
    return Body(file, "application/json")


@contextmanager
def _running(name: str, setting: Setting, body: Body) -> Iterator[str]:
    """The URL of a service that answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/predict"
    folder = ROOT if name == "digits" else PEERS
    log = setting.folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*COMMANDS[name], str(port)],
            cwd=folder,
            env={**setting.environment(), "PYTHONPATH": str(folder)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_until_ready(url, body, process, log)
        yield url
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        # Some servers leave workers behind.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _wait_until_ready(
    url: str, body: Body, process: subprocess.Popen[bytes], log: Path
) -> None:
    headers = {"Content-Type": body.media_type}
    request = urllib.request.Request(url, body.file.read_bytes(), headers)  # noqa: S310
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10):  # noqa: S310
                return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                end = log.read_text()[-2000:]
                raise SystemExit(f"{url} does not answer: {error}\n{end}") from error
            time.sleep(0.2)


def _apply_load(url: str, body: Body, connections: int, seconds: int) -> Load:
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s"]
    script = ROOT / "bench" / "post.lua"
    run = subprocess.run(
        ["wrk", *options, "-s", script, url, "--", body.file, body.media_type],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )
    # `post.lua` prints this line.
    (result,) = (line for line in run.stdout.splitlines() if line.startswith("result"))
    numbers = map(float, result.split()[1:])
    requests, failed, duration, p50, p99 = numbers
    if failed:
        raise SystemExit(
            f"{failed:.0f} of {requests:.0f} requests failed:\n{run.stdout}"
        )
    # wrk counts in microseconds.
    return Load(1e6 * requests / duration, p50 / 1e3, p99 / 1e3)
