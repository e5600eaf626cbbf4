"""Watches the store for uploads, in place of S3's notifications to EventBridge."""

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
# Between two announcements of an upload whose conversion failed.
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 300.0

logger = logging.getLogger(__name__)


@dataclass
class _Failure:
    """The failed announcements of an upload: their count, and when the next is due."""

    count: int = 0
    due: float = 0.0


class Watcher:
    """Announces each new or changed upload.

    An upload is announced once two polls see it unchanged: a file that is still being
    copied changes. Uploads that exist at the start are announced too, as they may have
    arrived while no server ran. A failed announcement is repeated, after growing pauses.

    Args:
        store: the store with the uploads.
        announce: receives an upload, and returns whether it was handled.
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
                    logger.warning("Uploads cannot be listed: %s", error.detail)
            seconds = POLL_SECONDS
            if failures:
                seconds = exponential_delay(
                    failures, POLL_SECONDS, LONGEST_PAUSE_SECONDS
                )
            await asyncio.sleep(seconds)

    async def poll(self) -> None:
        """List the uploads, and announce those that have not changed since the last poll."""
        entries = await asyncio.to_thread(self._store.entries, UPLOAD_FOLDER)
        uploads = {entry for entry in entries if dataset_of(entry.key)}
        settled = uploads & self._previous - self._handled
        self._previous = uploads
        self._handled &= uploads
        for entry in self._failures.keys() - uploads:
            del self._failures[entry]
        for entry in sorted(settled):
            failure = self._failures.get(entry, _Failure())
            if failure.due <= time.monotonic():
                await self.announce(entry)

    async def announce(self, entry: Entry) -> None:
        """Announce an upload. After a success, polls do not announce the upload again."""
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
        logger.warning("%s will be converted again in %.0f s.", entry.key, seconds)
