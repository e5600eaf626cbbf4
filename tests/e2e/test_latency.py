"""How long a prediction takes through `sam local start-api`. It is printed, and docs/performance.md has the figures."""

import statistics
import time

import httpx
import pytest

from tests.conftest import ROOT
from tests.e2e.cloud import Cloud

COLD, WARM = 5, 200


def measure(api: httpx.Client) -> float:
    """One prediction, in milliseconds."""
    png = (ROOT / "example" / "8.png").read_bytes()
    started = time.perf_counter()
    answer = api.post("/predict", content=png, headers={"Content-Type": "image/png"})
    milliseconds = (time.perf_counter() - started) * 1e3
    assert answer.raise_for_status().json()["prediction"] == 8
    return milliseconds


def test_cold_and_warm_latency(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    with cloud.sam.start_api() as url, httpx.Client(base_url=url, timeout=60) as api:
        cold = [measure(api) for _ in range(COLD)]
    warm = [measure(cloud.api) for _ in range(WARM)]
    with capsys.disabled():
        print(  # noqa: T201
            f"\nA prediction through sam local start-api: in a new container {statistics.median(cold):.0f} ms, "
            f"in a warm one {statistics.median(warm):.1f} ms (medians)"
        )
