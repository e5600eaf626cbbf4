"""`Prefer: wait=N` through the gateway, whose functions must stay free for others meanwhile."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.integration.local.conftest import Gateway

WAITING = 200


def post(gateway: Gateway, job: str, wait: int) -> httpx.Response:
    headers = {"Prefer": f"wait={wait}", "Idempotency-Key": job}
    return httpx.post(f"{gateway.url}/train", headers=headers, timeout=60)


def set_state(gateway: Gateway, job: str, status: str) -> None:
    path = gateway.root / "states" / job
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'{{"status": "{status}"}}')


def test_who_waits_is_answered_when_the_work_is_over(gateway: Gateway) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(post, gateway, "over", 30)
        set_state(gateway, "over", "RUNNING")
        time.sleep(1)
        assert not waiting.done()
        set_state(gateway, "over", "SUCCEEDED")
        answer = waiting.result(5)
    assert (answer.status_code, answer.json()) == (200, {"status": "SUCCEEDED"})
    assert (answer.headers["location"], answer.headers["preference-applied"]) == (
        "/train/over",
        "wait=30",
    )


def test_who_waits_too_short_hears_how_far_the_work_is(gateway: Gateway) -> None:
    set_state(gateway, "long", "RUNNING")
    answer = post(gateway, "long", 1)
    assert (answer.status_code, answer.json()) == (202, {"status": "RUNNING"})
    assert (answer.headers["location"], answer.headers["preference-applied"]) == (
        "/train/long",
        "wait=1",
    )


def test_200_waiting_requests_keep_nobody_else_waiting(gateway: Gateway) -> None:
    async def run() -> list[float]:
        limits = httpx.Limits(max_connections=WAITING + 10)
        async with httpx.AsyncClient(
            base_url=gateway.url, timeout=60, limits=limits
        ) as client:

            async def wait(job: int) -> httpx.Response:
                headers = {"Prefer": "wait=60", "Idempotency-Key": f"many{job}"}
                return await client.post("/train", headers=headers)

            async def seconds(path: str) -> float:
                started = time.perf_counter()
                (await client.get(path)).raise_for_status()
                return time.perf_counter() - started

            waiting = [asyncio.create_task(wait(job)) for job in range(WAITING)]
            await asyncio.sleep(3)
            assert not any(one.done() for one in waiting)
            times = [
                await seconds(path)
                for _ in range(10)
                for path in ("/train/newest", "/predict")
            ]
            for job in range(WAITING):
                set_state(gateway, f"many{job}", "SUCCEEDED")
            assert {
                answer.status_code for answer in await asyncio.gather(*waiting)
            } == {200}
            return times

    assert max(asyncio.run(run())) < 1


def test_who_waits_is_answered_when_the_gateway_stops(own_gateway: Gateway) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(post, own_gateway, "stopped", 60)
        set_state(own_gateway, "stopped", "RUNNING")
        time.sleep(1)
        own_gateway.stop()
        answer = waiting.result(5)
    assert (answer.status_code, answer.json()) == (202, {"status": "RUNNING"})
