"""Events to a function that fails, in this process where the pauses can be set."""

import asyncio
import os
from pathlib import Path

import pytest

from local.aws_lambda.pool import Pool
from local.eventbridge import events
from local.eventbridge.events import Deliveries
from local.template import Function
from tests.integration.local.conftest import eventually

# Fails a number of times per event.
HANDLER = """
from pathlib import Path

def handler(event, context):
    with Path("tries").open("a") as tries:
        tries.write(event["name"] + "\\n")
    if Path("tries").read_text().split().count(event["name"]) <= event["failures"]:
        raise OSError("It passes.")
"""


def deliver(folder: Path, *sent: tuple[str, int]) -> list[str]:
    """The tries at each event, in order."""
    (folder / "app.py").write_text(HANDLER)
    tries = folder / "tries"
    wanted = sum(min(failures + 1, events.MAX_TRIES) for _, failures in sent)

    async def run() -> None:
        pool = Pool(
            Function("Test", ".", "app.handler", 128, {}), folder, dict(os.environ), 1
        )
        deliveries = Deliveries(pool)
        for name, failures in sent:
            deliveries.send({"detail-type": name, "name": name, "failures": failures})
        await asyncio.to_thread(
            eventually,
            lambda: tries.exists() and len(tries.read_text().split()) == wanted,
        )
        await asyncio.sleep(0.5)
        deliveries.close()
        await pool.close()

    asyncio.run(run())
    return tries.read_text().split()


@pytest.fixture(autouse=True)
def _without_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "FIRST_PAUSE_SECONDS", 0.02)


def test_events_are_handled_in_order(tmp_path: Path) -> None:
    assert deliver(tmp_path, *((name, 0) for name in "abcdef")) == list("abcdef")


def test_an_unhandled_event_is_sent_again_and_does_not_delay_other_events(
    tmp_path: Path,
) -> None:
    tries = deliver(tmp_path, ("a", 3), ("b", 0))
    assert sorted(tries) == list("aaaab")
    assert tries[:2] == ["a", "b"]


def test_an_event_that_is_never_handled_is_dropped_in_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert deliver(tmp_path, ("a", 100)) == ["a"] * events.MAX_TRIES
    assert f"The event a is dropped after {events.MAX_TRIES} tries." in caplog.messages
