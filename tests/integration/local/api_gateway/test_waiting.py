"""Requests with `Prefer: wait=N`.

The gateway waits for the job, so a waiting request occupies no process of a function.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.integration.local.conftest import Gateway

WAITING = 200
MAX_ANSWER_SECONDS = 1


def post(gateway: Gateway, job: str, wait: int) -> httpx.Response:
    headers = {"Prefer": f"wait={wait}", "Idempotency-Key": job}
    return httpx.post(f"{gateway.url}/train", headers=headers, timeout=60)


def set_state(gateway: Gateway, job: str, status: str) -> None:
    path = gateway.root / "states" / job
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'{{"status": "{status}"}}')


def test_a_waiting_request_is_answered_when_the_job_ends(gateway: Gateway) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(post, gateway, "over", 30)
        set_state(gateway, "over", "RUNNING")
        time.sleep(1)
        assert not waiting.done()
        set_state(gateway, "over", "SUCCEEDED")
        answer = waiting.result(5)
    assert (answer.status_code, answer.json()) == (200, {"status": "SUCCEEDED"})
    assert answer.headers["location"] == "/train/over"
    assert answer.headers["preference-applied"] == "wait=30"


def test_a_waiting_request_is_answered_after_its_time_with_the_state_of_the_job(
    gateway: Gateway,
) -> None:
    set_state(gateway, "long", "RUNNING")
    answer = post(gateway, "long", 1)
    assert (answer.status_code, answer.json()) == (202, {"status": "RUNNING"})
    assert answer.headers["location"] == "/train/long"
    assert answer.headers["preference-applied"] == "wait=1"


def test_200_waiting_requests_do_not_delay_other_requests(gateway: Gateway) -> None:
    jobs = [f"many{number}" for number in range(WAITING)]

    async def run() -> None:
        limits = httpx.Limits(max_connections=WAITING + 10)
        async with httpx.AsyncClient(
            base_url=gateway.url, timeout=60, limits=limits
        ) as client:
            waiting = [asyncio.create_task(post_and_wait(client, job)) for job in jobs]
            await asyncio.sleep(3)
            assert not any(task.done() for task in waiting)
            for path in ("/train/newest", "/predict") * 10:
                assert await answer_seconds(client, path) < MAX_ANSWER_SECONDS
            for job in jobs:
                set_state(gateway, job, "SUCCEEDED")
            for answer in await asyncio.gather(*waiting):
                assert answer.status_code == 200

    asyncio.run(run())


async def post_and_wait(client: httpx.AsyncClient, job: str) -> httpx.Response:
    headers = {"Prefer": "wait=60", "Idempotency-Key": job}
    return await client.post("/train", headers=headers)


async def answer_seconds(client: httpx.AsyncClient, path: str) -> float:
    started = time.perf_counter()
    answer = await client.get(path)
    answer.raise_for_status()
    return time.perf_counter() - started


def test_a_waiting_request_is_answered_when_the_gateway_stops(
    own_gateway: Gateway,
) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(post, own_gateway, "stopped", 60)
        set_state(own_gateway, "stopped", "RUNNING")
        time.sleep(1)
        own_gateway.stop()
        answer = waiting.result(5)
    assert (answer.status_code, answer.json()) == (202, {"status": "RUNNING"})
