"""Lambda freezes a process and its threads between two requests.

A look for a release that is frozen goes on during the next requests.
"""

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
# A request waits 50 ms for a look. The rest is for a slow test machine.
SLOWEST_SECONDS = 0.5
MOST_REQUESTS = 100


async def send_and_freeze(
    environment: Environment, pid: int
) -> tuple[dict[str, Any], float]:
    """The response's body and the seconds of a request to a process that is otherwise frozen."""
    os.kill(pid, signal.SIGCONT)
    started = time.monotonic()
    response = await environment.invoke(json.dumps(sample_event("predict")).encode())
    seconds = time.monotonic() - started
    os.kill(pid, signal.SIGSTOP)
    # In this time, a look that was not frozen would end.
    await asyncio.sleep(0.2)
    return json.loads(response["ok"]["body"]), seconds


async def time_until_release(store: Store, variables: dict[str, str]) -> list[float]:
    """The seconds of each request, until a release made after the first request answers."""
    stack = template.read_template(ROOT / "template.yaml")
    function = stack.function_in("functions/predict")
    environment = await _spawn(function, ROOT, variables)
    pid = environment._process.pid
    try:
        await environment.read_line()
        body, first = await send_and_freeze(environment, pid)
        # The first request waits one second for the look, which may be too short.
        while body["model_version"] != VERSION:
            body, _ = await send_and_freeze(environment, pid)
        await asyncio.to_thread(releases.release, store, manifests.BUNDLED, "roll back")
        times = [first]
        while body["model_version"] == VERSION:
            body, seconds = await send_and_freeze(environment, pid)
            times.append(seconds)
            assert len(times) < MOST_REQUESTS, times
        return times
    finally:
        await environment.stop()


@pytest.mark.parametrize("latency", [0.02, 0.1, 0.3])
def test_a_release_arrives_in_a_process_that_is_frozen_between_requests(
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
        "POWERTOOLS_METRICS_NAMESPACE": "Digits",
        "POWERTOOLS_SERVICE_NAME": "digits",
    }
    first, *others = asyncio.run(time_until_release(s3_store, variables))
    assert first < 1 + SLOWEST_SECONDS
    assert max(others) < SLOWEST_SECONDS
