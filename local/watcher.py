"""Notices files that land in the store's `raw/`, as S3 would tell EventBridge."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from digits.errors import StoreError
from digits.store import Entry, Store

PREFIX = "raw"
SUFFIX = ".npz"
POLL_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Watcher:
    """Announces each upload, and each change of one: once it is the same in two polls, so no half-copied file.

    What is there at the start is announced too: it may have come while nobody watched.

    Args:
        store: whose `raw/` to watch.
        announce: takes an upload.
    """

    def __init__(self, store: Store, announce: Callable[[Entry], Awaitable[None]]) -> None:
        self._store = store
        self._announce = announce
        self._previous: set[Entry] = set()
        self._announced: set[Entry] = set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await self.poll()
            except StoreError as error:
                logger.warning("Uploads cannot be seen: %s", error.detail)
            await asyncio.sleep(POLL_SECONDS)

    async def poll(self) -> None:
        """Look once, and announce what has settled since the last look."""
        entries = await asyncio.to_thread(self._store.entries, PREFIX)
        uploads = {entry for entry in entries if entry.key.endswith(SUFFIX)}
        settled = uploads & self._previous - self._announced
        self._previous = uploads
        self._announced = self._announced & uploads | settled
        for entry in sorted(settled):
            await self._announce(entry)
