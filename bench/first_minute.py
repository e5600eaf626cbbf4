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
from tabulate import tabulate

from bench.measure import machine
from local.checkout import ROOT

PNG = (ROOT / "example" / "8.png").read_bytes()
LONGEST_SECONDS = 600
# No package has this checksum, so pip installs no uv.
NO_UV = f"uv==0 --hash=sha256:{'0' * 64}\n"
INSTALLERS = ("uv", "uv, installed by pip", "pip")


@dataclass(frozen=True)
class FirstMinute:
    """What one Python with one installer takes.

    Attributes:
        cold_seconds: until the first prediction, with empty caches.
        warm_seconds: the same in another clone, with the first one's caches.
        packages: how many were installed.
        megabytes: of .venv.
    """

    cold_seconds: float
    warm_seconds: float
    packages: int
    megabytes: int


def main() -> None:
    """Print a table for docs/performance.md."""
    rows = []
    for python in sys.argv[1:] or [sys.executable]:
        version = subprocess.check_output([python, "--version"], text=True).split()[1]
        for installer in INSTALLERS:
            found = measure(python, installer)
            rows.append(
                (
                    version,
                    installer,
                    f"{found.cold_seconds:.1f}",
                    f"{found.warm_seconds:.1f}",
                    found.packages,
                    found.megabytes,
                )
            )
    heads = ("Python", "installed by", "first, s", "from cache, s", "packages", "MB")
    print(machine())
    print(tabulate(rows, heads, tablefmt="github", disable_numparse=True))


def measure(python: str, installer: str) -> FirstMinute:
    """Run the service in two clones with the same caches."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        programs = home / "programs"
        programs.mkdir()
        if installer == "uv":
            (programs / "uv").symlink_to(ROOT / ".venv" / "bin" / "uv")
        first, second = home / "first", home / "second"
        cold = _wait(_clone(first, installer), python, home)
        warm = _wait(_clone(second, installer), python, home)
        packages = [*(first / ".venv").glob("lib/*/site-packages/*.dist-info")]
        return FirstMinute(cold, warm, len(packages), _megabytes(first / ".venv"))


def _clone(folder: Path, installer: str) -> Path:
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)  # noqa: S607  on the PATH
    if installer == "pip":
        (folder / "requirements" / "uv.txt").write_text(NO_UV)
    return folder


def _wait(clone: Path, python: str, home: Path) -> float:
    """Seconds from `make run` to a prediction."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = time.perf_counter()
    server = subprocess.Popen(
        [shutil.which("make") or "make", "run", f"PYTHON={python}", f"PORT={port}"],
        cwd=clone,
        env=_environment(home),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _predict(f"http://127.0.0.1:{port}/predict", server)
        return time.perf_counter() - started
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _environment(home: Path) -> dict[str, str]:
    """A PATH without this machine's uv, and caches of their own."""
    folders = os.environ["PATH"].split(os.pathsep)
    without_uv = [folder for folder in folders if not Path(folder, "uv").exists()]
    return os.environ | {
        "PATH": os.pathsep.join([str(home / "programs"), *without_uv]),
        "UV_CACHE_DIR": str(home / "uv"),
        "PIP_CACHE_DIR": str(home / "pip"),
    }


def _predict(url: str, server: subprocess.Popen[bytes]) -> None:
    headers = {"Content-Type": "image/png"}
    deadline = time.monotonic() + LONGEST_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            httpx.post(url, content=PNG, headers=headers).raise_for_status()
            return
        time.sleep(0.05)
    raise SystemExit(f"{url} made no prediction within {LONGEST_SECONDS} s.")


def _megabytes(folder: Path) -> int:
    """Blocks on the disk; a file with several links counts once."""
    usage = subprocess.check_output(
        ["du", "--summarize", "--block-size=MB", folder],  # noqa: S607
        text=True,
    )
    return int(usage.split("MB")[0])


if __name__ == "__main__":
    main()
