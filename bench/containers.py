"""The images of Lambda functions, in Lambda's runtime interface emulator: their size, the first answer, warm ones."""

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.measure import Figures, SkippedError, timed
from bench.setting import PEERS, Setting, event
from local.checkout import ROOT

BASE = "python:3.11-slim-bookworm"
# By name: the image, and the function's handler.
IMAGES = {
    "digits": ("digits-bench", "app.handler"),
    "keras": ("keras-bench", "keras_handler.handler"),
}
# Lambda gives a function processor time by its memory: one core at 1,769 MB.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MEGABYTES_A_CORE = 1769
MEGABYTES = (256, 512, 1024, MEGABYTES_A_CORE)
WARM = 100


def build(setting: Setting) -> None:
    """Build both images, over the same base."""
    context = setting.folder / "keras"
    context.mkdir(exist_ok=True)
    for name in ("keras_handler.py", "picture.py"):
        shutil.copy(PEERS / name, context)
    shutil.copy(f"{setting.model}.keras", context)
    shutil.copy(ROOT / "requirements" / "keras.txt", context / "requirements.txt")
    _docker(
        "build",
        "--tag",
        IMAGES["digits"][0],
        "--file",
        ROOT / "functions/predict/Dockerfile",
        ROOT,
    )
    _docker(
        "build", "--tag", IMAGES["keras"][0], "--file", PEERS / "Dockerfile", context
    )


def measure(setting: Setting, rounds: int) -> Figures:
    """In turns, one container of each image a round; then ours with the processor time of several memory sizes."""
    try:
        _docker("version")
    except (OSError, SystemExit) as error:
        raise SkippedError(
            "It needs Docker, with its engine running (on Debian, docker.io)."
        ) from error
    build(setting)
    cases = {f"container-{{}}.{name}": (name, 2.0) for name in IMAGES}
    cases |= {
        f"memory-{size}-{{}}.digits": ("digits", size / MEGABYTES_A_CORE)
        for size in MEGABYTES
    }
    figures: Figures = {
        f"image.{name}.MB": [(_size(image) - _size(BASE)) / 1e6]
        for name, (image, _) in IMAGES.items()
    }
    for turn in range(rounds + 1):
        for key, (name, cores) in cases.items():
            first, *others = _invocations(name, cores, setting)
            if turn:  # The first one fills the page cache.
                figures.setdefault(f"{key.format('cold')}.s", []).append(first)
                figures.setdefault(f"{key.format('warm')}.ms", []).extend(
                    1e3 * seconds for seconds in others
                )
    return figures


def _invocations(name: str, cores: float, setting: Setting) -> list[float]:
    """Seconds of the first one in a new container, and of others."""
    body = json.dumps(event(setting.small)).encode()
    with _running(name, cores, setting) as url:

        def invoke() -> None:
            with urllib.request.urlopen(url, body, timeout=60) as answer:  # noqa: S310  our own container
                status = json.load(answer).get("statusCode")
            if status != 200:  # noqa: PLR2004
                raise SystemExit(f"{name} answered {status}")

        return [timed(invoke) for _ in range(1 + WARM)]


@contextmanager
def _running(name: str, cores: float, setting: Setting) -> Iterator[str]:
    """A container that has not been asked yet: the emulator starts the function at the first invocation."""
    image, handler = IMAGES[name]
    variables = setting.environment(DIGITS_STORE="file:///tmp/store")
    passed = ("DIGITS_STORE", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE")
    container = _docker(
        *(
            "run",
            "--detach",
            "--rm",
            f"--cpus={cores:.3f}",
            "--publish",
            "127.0.0.1::8080",
        ),
        *(f"--env={variable}={variables[variable]}" for variable in passed),
        *("--volume", f"{_emulator()}:/emulator:ro", "--entrypoint", "/emulator"),
        *(image, "python", "-m", "awslambdaric", handler),
    )
    try:
        address = _docker("port", container, "8080").splitlines()[0]
        time.sleep(1)  # The emulator itself starts in some milliseconds.
        yield f"http://{address}/2015-03-31/functions/function/invocations"
    finally:
        _docker("kill", container)


def _emulator() -> Path:
    """It comes with SAM's command line."""
    spec = find_spec("samcli")
    if spec is None or spec.origin is None:
        raise SystemExit("There is no samcli in this environment: make setup")
    machine = _docker("version", "--format", "{{.Server.Arch}}").replace(
        "amd64", "x86_64"
    )
    return Path(spec.origin).parent / "local" / "rapid" / f"aws-lambda-rie-{machine}"


def _size(image: str) -> int:
    return sum(
        map(
            int,
            _docker("history", "--human=false", "--format", "{{.Size}}", image).split(),
        )
    )


def _docker(*arguments: Any) -> str:
    run = subprocess.run(
        ["docker", *map(str, arguments)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise SystemExit(
            f"docker {arguments[0]}: {run.stderr.strip()}\n{run.stdout[-1000:]}"
        )
    return run.stdout.strip()
