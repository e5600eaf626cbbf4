"""Images of functions in Lambda's runtime interface emulator: size, first and warm answers."""

import json
import shutil
import subprocess
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from bench.measure import Figures, SkippedError, timings
from bench.setting import PEERS, Setting, event
from cloud import sam
from local.checkout import ROOT

BASE = "python:3.11-slim-bookworm"
# Lambda gives a function processor time by its memory: one core at 1,769 MB.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MEGABYTES_PER_CORE = 1769
MEGABYTES = (256, 512, 1024, MEGABYTES_PER_CORE)
WARM_ANSWERS = 100
# The processor time for the comparison of the two images: all of the design machine's.
CORES = 2.0
# The emulator itself starts in some milliseconds.
EMULATOR_START_SECONDS = 1.0
# Settings that the function reads.
PASSED = ("DIGITS_STORE", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE")


@dataclass(frozen=True)
class Image:
    """A function's container image, and the function's handler in there."""

    tag: str
    handler: str


@dataclass(frozen=True)
class Case:
    """An image with a share of the processor, and the names of the figures."""

    image: str
    cores: float
    cold: str
    warm: str


IMAGES = {
    "digits": Image("digits-bench", "app.handler"),
    "keras": Image("keras-bench", "keras_handler.handler"),
}


def measure(setting: Setting, rounds: int) -> Figures:
    """Start a container of each case in turns. The first round does not count."""
    try:
        _docker("version")
    except (OSError, SystemExit) as error:
        raise SkippedError(
            "It needs Docker, with its engine running (on Debian: docker.io)."
        ) from error
    _build(setting)
    figures: Figures = defaultdict(list)
    base = _size(BASE)
    for name, image in IMAGES.items():
        figures[f"image.{name}.MB"].append((_size(image.tag) - base) / 1e6)
    cases = _cases()
    for turn in range(rounds + 1):
        for case in cases:
            first, *others = _invocations(case, setting)
            if turn:
                figures[case.cold].append(first)
                figures[case.warm] += [1e3 * seconds for seconds in others]
    return figures


def _cases() -> list[Case]:
    """Both images on whole cores, and ours with the processor time of several memory sizes."""
    cases = [
        Case(name, CORES, f"container-cold.{name}.s", f"container-warm.{name}.ms")
        for name in IMAGES
    ]
    for size in MEGABYTES:
        cores = size / MEGABYTES_PER_CORE
        cold, warm = f"memory-{size}-cold.digits.s", f"memory-{size}-warm.digits.ms"
        cases.append(Case("digits", cores, cold, warm))
    return cases


def _build(setting: Setting) -> None:
    """Build both images over the same base."""
    context = setting.folder / "keras"
    context.mkdir(exist_ok=True)
    for name in ("keras_handler.py", "picture.py"):
        shutil.copy(PEERS / name, context)
    shutil.copy(f"{setting.model}.keras", context)
    shutil.copy(ROOT / "requirements" / "keras.txt", context / "requirements.txt")
    ours, theirs = ROOT / "functions/predict/Dockerfile", PEERS / "Dockerfile"
    _docker("build", "--tag", IMAGES["digits"].tag, "--file", ours, ROOT)
    _docker("build", "--tag", IMAGES["keras"].tag, "--file", theirs, context)


def _invocations(case: Case, setting: Setting) -> list[float]:
    """Seconds of each invocation of a new container."""
    body = json.dumps(event(setting.small)).encode()
    with _running(case, setting) as url:

        def invoke() -> None:
            with urllib.request.urlopen(url, body, timeout=60) as answer:  # noqa: S310  our own container
                status = json.load(answer).get("statusCode")
            if status != HTTPStatus.OK:
                raise SystemExit(f"{case.image} answered with status {status}.")

        return timings(invoke, 1 + WARM_ANSWERS)


@contextmanager
def _running(case: Case, setting: Setting) -> Iterator[str]:
    """The URL of a new container. The emulator starts the function at the first invocation."""
    image = IMAGES[case.image]
    variables = setting.environment(DIGITS_STORE="file:///tmp/store")
    container = _docker(
        "run",
        "--detach",
        "--rm",
        f"--cpus={case.cores:.3f}",
        "--publish=127.0.0.1::8080",
        f"--volume={_emulator()}:/emulator:ro",
        *[f"--env={name}={variables[name]}" for name in PASSED],
        "--entrypoint=/emulator",
        image.tag,
        "python",
        "-m",
        "awslambdaric",
        image.handler,
    )
    try:
        address = _docker("port", container, "8080").splitlines()[0]
        time.sleep(EMULATOR_START_SECONDS)
        yield f"http://{address}/2015-03-31/functions/function/invocations"
    finally:
        _docker("kill", container)


def _emulator() -> Path:
    """The emulator for the processor of Docker's engine."""
    architecture = _docker("version", "--format", "{{.Server.Arch}}")
    return sam.emulator(architecture.replace("amd64", "x86_64"))


def _size(image: str) -> int:
    layers = _docker("history", "--human=false", "--format", "{{.Size}}", image)
    return sum(map(int, layers.split()))


def _docker(*arguments: str | Path) -> str:
    run = subprocess.run(
        ["docker", *arguments],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise SystemExit(
            f"docker {arguments[0]}: {run.stderr.strip()}\n{run.stdout[-1000:]}"
        )
    return run.stdout.strip()
