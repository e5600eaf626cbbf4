"""Services under load from a separate process, one after the other, on all cores: requests a second, and latency."""

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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.measure import Figures, SkippedError
from bench.setting import PEERS, PEERS_PYTHON, Setting
from local.checkout import ROOT

CONNECTIONS = (1, 8, 64)
START_SECONDS = 120
# Of load.
SECONDS = 4

_BIN = PEERS_PYTHON.parent
_UVICORN = [
    "-m",
    "uvicorn",
    "fastapi_keras:app",
    "--workers",
    "2",
    "--log-level",
    "error",
    "--port",
]
# By name: the command, of which the port is the last part.
SERVICES: dict[str, list[str | Path]] = {
    "digits": [
        sys.executable,
        "-c",
        "import sys; from local.server import serve; serve(int(sys.argv[1]), None)",
    ],
    "fastapi": [PEERS_PYTHON, *_UVICORN],
    "litserve": [PEERS_PYTHON, PEERS / "litserve_keras.py"],
    "bentoml": [
        PEERS_PYTHON,
        _BIN / "bentoml",
        "serve",
        "bentoml_keras:Digits",
        "--port",
    ],
}


def measure(setting: Setting, rounds: int) -> Figures:
    """Each service in turns, at each number of connections, after a warm-up that does not count."""
    if not shutil.which("wrk"):
        raise SkippedError(
            "The load comes from wrk. On Debian and Ubuntu: apt-get install wrk"
        )
    figures: Figures = {}
    bodies = _bodies(setting)
    for _ in range(rounds):
        for name in SERVICES:
            body, media_type = bodies.get(name, (setting.small, "image/png"))
            with _running(name, setting, body, media_type) as url:
                _load(url, body, media_type, max(CONNECTIONS), 2)
                for connections in CONNECTIONS:
                    rate, *latency = _load(url, body, media_type, connections, SECONDS)
                    figures.setdefault(
                        f"serve-{connections}.{name}.requests/s", []
                    ).append(rate)
                    for quantile, value in zip(("p50", "p99"), latency, strict=True):
                        figures.setdefault(
                            f"serve-{connections}-{quantile}.{name}.ms", []
                        ).append(value)
    return figures


def _bodies(setting: Setting) -> dict[str, tuple[Path, str]]:
    """What a service takes that does not take a PNG."""
    path = setting.folder / "litserve.json"
    path.write_text(
        json.dumps({"image": base64.b64encode(setting.small.read_bytes()).decode()})
    )
    return {"litserve": (path, "application/json")}


@contextmanager
def _running(name: str, setting: Setting, body: Path, media_type: str) -> Iterator[str]:
    """A service that answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/predict"
    request = urllib.request.Request(
        url, body.read_bytes(), {"Content-Type": media_type}
    )
    log = setting.folder / f"{name}.log"
    environment = {
        **setting.environment(),
        "PYTHONPATH": str(ROOT if name == "digits" else PEERS),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in (*SERVICES[name], port)],
            cwd=ROOT if name == "digits" else PEERS,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10):  # noqa: S310
                    break
            except OSError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(
                        f"{name}: {error}\n{log.read_text()[-2000:]}"
                    ) from error
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with suppress(ProcessLookupError):  # Some leave workers behind.
            os.killpg(process.pid, signal.SIGKILL)


def _load(
    url: str, body: Path, media_type: str, connections: int, seconds: int
) -> tuple[float, float, float]:
    """Requests a second, and the latency's median and 99th percentile in milliseconds."""
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "20s",
        "-s",
        ROOT / "bench" / "post.lua",
    ]
    run = subprocess.run(
        [str(part) for part in (*command, url, "--", body, media_type)],
        capture_output=True,
        text=True,
        check=True,
    )
    (result,) = (line for line in run.stdout.splitlines() if line.startswith("result"))
    requests, failed, microseconds, *latency = map(float, result.split()[1:])
    if failed:
        raise SystemExit(
            f"{failed:.0f} of {requests:.0f} requests failed:\n{run.stdout}"
        )
    return 1e6 * requests / microseconds, latency[0] / 1e3, latency[1] / 1e3
