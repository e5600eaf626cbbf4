"""Prints the latency of a prediction through `sam local start-api`, for docs/performance.md."""

import statistics
import time

import httpx
import pytest

from tests.conftest import ROOT
from tests.e2e.cloud import Cloud

COLD, WARM = 5, 200


def measure(api: httpx.Client) -> float:
    """Milliseconds of one prediction."""
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
            "\nA prediction through sam local start-api takes (medians)"
            f" {statistics.median(cold):.0f} ms in a new container"
            f" and {statistics.median(warm):.1f} ms in a warm container."
        )
