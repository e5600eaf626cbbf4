"""How long a newcomer waits: seconds from `make run` in a fresh clone to the first prediction.

python -m bench.first_minute [PYTHON...]
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.markdown import table
from bench.measure import machine
from local.checkout import ROOT

PNG = (ROOT / "example" / "8.png").read_bytes()
LONGEST_SECONDS = 600
# No package has this checksum.
NO_UV = f"uv==0 --hash=sha256:{'0' * 64}\n"


@dataclass(frozen=True)
class Found:
    """A first minute.

    Attributes:
        seconds: until the first prediction, with nothing downloaded before, and with all of it.
        packages: that were installed.
        megabytes: of .venv.
    """

    seconds: list[float]
    packages: int
    megabytes: int


def main() -> None:
    """Print a table for docs/performance.md."""
    pythons = sys.argv[1:] or [sys.executable]
    rows = []
    for python in pythons:
        version = subprocess.check_output([python, "--version"], text=True).split()[1]
        for installer in ("uv", "uv, got by pip", "pip"):
            found = measure(python, installer)
            cold, warm = (f"{seconds:.1f}" for seconds in found.seconds)
            rows.append(
                [version, installer, cold, warm, found.packages, found.megabytes]
            )
    print(machine())
    print(
        table(
            [
                "Python",
                "installed by",
                "first, s",
                "from its cache, s",
                "packages",
                "MB",
            ],
            rows,
        )
    )


def measure(python: str, installer: str) -> Found:
    """Run it twice, in two clones with one cache."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        programs = home / "programs"
        programs.mkdir()
        if installer == "uv":
            (programs / "uv").symlink_to(ROOT / ".venv" / "bin" / "uv")
        seconds = [
            _wait(_clone(home / name, installer), python, home)
            for name in ("first", "second")
        ]
        packages = len(
            list((home / "first" / ".venv").glob("lib/*/site-packages/*.dist-info"))
        )
        return Found(seconds, packages, _megabytes(home / "first" / ".venv"))


def _clone(folder: Path, installer: str) -> Path:
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)  # noqa: S607  on the PATH
    if installer == "pip":
        (folder / "requirements" / "uv.txt").write_text(NO_UV)
    return folder


def _wait(clone: Path, python: str, home: Path) -> float:
    """Seconds until a prediction."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    others = [
        folder
        for folder in os.environ["PATH"].split(":")
        if not Path(folder, "uv").exists()
    ]
    environment = os.environ | {
        "PATH": ":".join([str(home / "programs"), *others]),
        "UV_CACHE_DIR": str(home / "uv"),
        "PIP_CACHE_DIR": str(home / "pip"),
    }
    started = time.perf_counter()
    server = subprocess.Popen(
        [shutil.which("make") or "make", "run", f"PYTHON={python}", f"PORT={port}"],
        cwd=clone,
        env=environment,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _predict(f"http://127.0.0.1:{port}/predict", server)
        return time.perf_counter() - started
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _predict(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            httpx.post(
                url, content=PNG, headers={"Content-Type": "image/png"}
            ).raise_for_status()
            return
        time.sleep(0.05)
    raise SystemExit("make run served nothing.")


def _megabytes(folder: Path) -> int:
    """Of its files, each counted once, in blocks as they lie on the disk."""
    said = subprocess.check_output(
        ["du", "--summarize", "--block-size=MB", str(folder)],  # noqa: S607
        text=True,
    )
    return int(said.split("MB")[0])


if __name__ == "__main__":
    main()
