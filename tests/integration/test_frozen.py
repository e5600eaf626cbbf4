"""Lambda stops a process between two requests, its threads too. A look for a release goes on in the next requests."""

import asyncio
import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from digits.models import manifests, releases
from digits.models.manifests import MODEL_FILE
from digits.store import Store
from local import template
from local.aws_lambda.pool import Environment, _spawn
from local.checkout import BUNDLED_FOLDER, ROOT
from tests.conftest import sample_event
from tests.faults import Fault, FaultProxy

VERSION = "20260131T101500Z-00000001"
# Far more than the 50 ms that a request waits for a look.
SLOWEST_SECONDS = 0.5
MOST_REQUESTS = 100


async def ask_and_freeze(
    environment: Environment, pid: int
) -> tuple[dict[str, Any], float]:
    """One request to a process that stands still before and after."""
    os.kill(pid, signal.SIGCONT)
    started = time.monotonic()
    answer = await environment.invoke(json.dumps(sample_event("predict")).encode())
    seconds = time.monotonic() - started
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(0.2)  # A request that hung would end by now.
    return json.loads(answer["ok"]["body"]), seconds


async def swap(store: Store, variables: dict[str, str]) -> list[float]:
    """How long the requests took until one was answered by a release that was made after the first."""
    function = template.read_template(ROOT / "template.yaml").function_in("functions/predict")
    environment = await _spawn(function, ROOT, variables)
    pid = environment._process.pid
    try:
        await environment.read_line()
        body, first = await ask_and_freeze(environment, pid)
        while (
            body["model_version"] != VERSION
        ):  # The first request waits a second, which may not be enough.
            body, _ = await ask_and_freeze(environment, pid)
        await asyncio.to_thread(releases.release, store, manifests.BUNDLED, "roll back")
        times = [first]
        while body["model_version"] == VERSION:
            body, seconds = await ask_and_freeze(environment, pid)
            times.append(seconds)
            assert len(times) < MOST_REQUESTS, times
        return times
    finally:
        await environment.stop()


@pytest.mark.parametrize("latency", [0.02, 0.1, 0.3])
def test_a_release_arrives_though_the_process_is_frozen_between_requests(
    faults: FaultProxy, s3_store: Store, faulty_store: Store, latency: float
) -> None:
    model = Path(BUNDLED_FOLDER / MODEL_FILE).read_bytes()
    bundled = manifests.parse_manifest((BUNDLED_FOLDER / "manifest.json").read_bytes())
    manifest = replace(
        bundled, version=VERSION, files={MODEL_FILE: manifests.file_info(model)}
    )
    manifests.publish(s3_store, manifest, {MODEL_FILE: model})
    releases.release(s3_store, VERSION, "test")
    faults.add(Fault.LATENCY, seconds=latency)
    variables = os.environ | {
        "DIGITS_STORE": faulty_store.url,
        "DIGITS_RELEASE_TTL": "0",
    }
    variables |= {
        "POWERTOOLS_METRICS_NAMESPACE": "Digits",
        "POWERTOOLS_SERVICE_NAME": "digits",
    }
    first, *others = asyncio.run(swap(s3_store, variables))
    print(  # noqa: T201
        f"{latency} s a request: first {first:.3f} s, then",
        *(f"{seconds:.3f}" for seconds in others),
    )
    assert first < 1 + SLOWEST_SECONDS
    assert all(seconds < SLOWEST_SECONDS for seconds in others)
