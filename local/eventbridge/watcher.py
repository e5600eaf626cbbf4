"""Notices files that land in the store's `raw/`, as S3 would tell EventBridge."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from digits.datasets.uploads import UPLOAD_FOLDER, dataset_of
from digits.errors import StoreError
from digits.store import Entry, Store
from local.backoff import exponential_delay

POLL_SECONDS = 1.0
# Between two announcements of an upload that could not be handled.
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 300.0

logger = logging.getLogger(__name__)


@dataclass
class _Failure:
    """What is known of an upload that could not be handled."""

    count: int = 0
    due: float = 0.0


class Watcher:
    """Announces each upload, and each change of one: once it is the same in two polls, so no half-copied file.

    What is there at the start is announced too: it may have come while nobody watched.
        An upload that could not be handled is announced again after a pause, which
        grows, until it can be.

    Args:
        store: whose `raw/` to watch.
        announce: takes an upload, and returns whether it was handled.
    """

    def __init__(
        self, store: Store, announce: Callable[[Entry], Awaitable[bool]]
    ) -> None:
        self._store = store
        self._announce = announce
        self._previous: set[Entry] = set()
        self._handled: set[Entry] = set()
        self._failures: dict[Entry, _Failure] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        failures = 0
        while True:
            try:
                await self.poll()
                failures = 0
            except StoreError as error:
                failures += 1
                if failures == 1:
                    logger.warning("Uploads cannot be seen: %s", error.detail)
            await asyncio.sleep(
                exponential_delay(failures, POLL_SECONDS, LONGEST_PAUSE_SECONDS)
                if failures
                else POLL_SECONDS
            )

    async def poll(self) -> None:
        """Look once, and announce what has settled since the last look."""
        entries = await asyncio.to_thread(self._store.entries, UPLOAD_FOLDER)
        uploads = {entry for entry in entries if dataset_of(entry.key)}
        settled = uploads & self._previous - self._handled
        self._previous = uploads
        self._handled &= uploads
        self._failures = {
            entry: failure
            for entry, failure in self._failures.items()
            if entry in uploads
        }
        for entry in sorted(settled):
            if self._failures.get(entry, _Failure()).due <= time.monotonic():
                await self.announce(entry)

    async def announce(self, entry: Entry) -> None:
        """Announce an upload. No poll announces it again once it was handled."""
        if await self._announce(entry):
            self._handled.add(entry)
            self._failures.pop(entry, None)
            return
        failure = self._failures.setdefault(entry, _Failure())
        failure.count += 1
        seconds = exponential_delay(
            failure.count, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
        )
        failure.due = time.monotonic() + seconds
        logger.warning("%s is tried again in %.0f s.", entry.key, seconds)
