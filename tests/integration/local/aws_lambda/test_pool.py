"""Pools of processes, in this process where a request can be cancelled."""

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
    (folder / "app.py").write_text(HANDLER)
    function = Function("Test", ".", "app.handler", 128, {})

    async def run() -> Any:
        pool = Pool(function, folder, dict(os.environ), limit)
        try:
            return await use(pool)
        finally:
            await pool.close()

    return asyncio.run(run())


def test_more_events_than_processes_wait_their_turn(tmp_path: Path) -> None:
    async def use(pool: Pool) -> list[Any]:
        return await asyncio.gather(*(pool.invoke({"n": n}) for n in range(1, 9)))

    answers = with_pool(tmp_path, 2, use)
    assert [answer["n"] for answer in answers] == list(range(1, 9))
    assert len({answer["pid"] for answer in answers}) == 2


def test_the_answer_to_a_cancelled_event_reaches_nobody_else(tmp_path: Path) -> None:
    async def use(pool: Pool) -> Any:
        first = asyncio.create_task(pool.invoke({"n": 1, "waits": True}))
        await asyncio.to_thread(eventually, (tmp_path / "begun").exists)
        first.cancel()
        await asyncio.wait([first])
        (tmp_path / "go").touch()
        return await pool.invoke({"n": 2})

    assert with_pool(tmp_path, 1, use)["n"] == 2


def test_a_busy_function_says_so_in_time(
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


def test_what_is_not_json_is_the_functions_failure(tmp_path: Path) -> None:
    async def use(pool: Pool) -> Any:
        before = await pool.invoke({"n": 1})
        with pytest.raises(FunctionFailedError):
            await pool.invoke({"n": 0})
        return before["pid"] == (await pool.invoke({"n": 2}))["pid"]

    assert with_pool(tmp_path, 1, use)
