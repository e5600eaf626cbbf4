"""Pools of function processes, called without a gateway so that a test can cancel an event."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from local.aws_lambda import pool
from local.aws_lambda.pool import FunctionBusyError, FunctionFailedError, Pool
from local.template import Function
from tests.integration.local.conftest import eventually

HANDLER = """
import os, time
from pathlib import Path

def handler(event, context):
    Path("begun").touch()
    while event.get("waits") and not Path("go").exists():
        time.sleep(0.01)
    return {"n": event["n"], "pid": os.getpid()} if event["n"] else {1}
"""


def with_pool(folder: Path, limit: int, use: Callable[[Pool], Awaitable[Any]]) -> Any:
    """The result of `use` on a pool of at most `limit` processes."""
    (folder / "app.py").write_text(HANDLER)
    function = Function("Test", ".", "app.handler", 128, {})

    async def run() -> Any:
        pool = Pool(function, folder, dict(os.environ), limit)
        try:
            return await use(pool)
        finally:
            await pool.close()

    return asyncio.run(run())


def test_events_wait_for_a_free_process(tmp_path: Path) -> None:
    numbers = list(range(1, 9))

    async def use(pool: Pool) -> list[Any]:
        invocations = [pool.invoke({"n": number}) for number in numbers]
        return await asyncio.gather(*invocations)

    answers = with_pool(tmp_path, 2, use)
    assert [answer["n"] for answer in answers] == numbers
    assert len({answer["pid"] for answer in answers}) == 2


def test_the_answer_to_a_cancelled_event_is_dropped(tmp_path: Path) -> None:
    async def use(pool: Pool) -> Any:
        first = asyncio.create_task(pool.invoke({"n": 1, "waits": True}))
        await asyncio.to_thread(eventually, (tmp_path / "begun").exists)
        first.cancel()
        await asyncio.wait([first])
        (tmp_path / "go").touch()
        return await pool.invoke({"n": 2})

    assert with_pool(tmp_path, 1, use)["n"] == 2


def test_an_event_that_waits_too_long_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "MAX_QUEUE_SECONDS", 0.1)

    async def use(pool: Pool) -> None:
        first = asyncio.create_task(pool.invoke({"n": 1, "waits": True}))
        await asyncio.to_thread(eventually, (tmp_path / "begun").exists)
        with pytest.raises(FunctionBusyError, match="Test is busy"):
            await pool.invoke({"n": 2})
        (tmp_path / "go").touch()
        assert (await first)["n"] == 1
        assert (await pool.invoke({"n": 3}))["n"] == 3

    with_pool(tmp_path, 1, use)


def test_an_answer_that_json_cannot_hold_is_a_failure_of_the_function(
    tmp_path: Path,
) -> None:
    async def use(pool: Pool) -> None:
        before = await pool.invoke({"n": 1})
        with pytest.raises(FunctionFailedError):
            await pool.invoke({"n": 0})
        after = await pool.invoke({"n": 2})
        assert before["pid"] == after["pid"]

    with_pool(tmp_path, 1, use)
