"""Numbered objects, 1, 2, 3, … without a gap, of which two requests find the newest.

A hint beside the objects is a copy of one of the newest objects. The search begins at
the hint's number, and tries the next numbers until an object is missing. The hint may
lag, because a writer can die between the object and the hint. A store from before there
were hints has no hint: the objects are listed, until the next object is added.
"""

import json
import logging
import re
from collections.abc import Callable
from typing import NamedTuple

from digits.errors import (
    ConflictError,
    DamagedObjectError,
    MissingObjectError,
    StoreError,
)
from digits.store import Store

logger = logging.getLogger(__name__)


class Numbered(NamedTuple):
    """An object's number, and its bytes if the search read them. Number 0: there is no object."""

    number: int
    data: bytes | None


class Series:
    """A series of numbered objects.

    Args:
        store: has the objects.
        folder: all keys begin with the folder.
        name: an object's key below the folder, with `{}` for the number.
        hint: the hint's key below the folder.
    """

    def __init__(
        self, store: Store, folder: str, name: str, hint: str = ".newest.json"
    ) -> None:
        self._store = store
        self._folder = folder
        self._name = name
        self._hint = f"{folder}/{hint}"

    def key(self, number: int) -> str:
        """The key of an object."""
        return f"{self._folder}/{self._name.format(number)}"

    def read(self, number: int) -> bytes | None:
        """Read an object; None if the object is missing."""
        try:
            return self._store.read(self.key(number))
        except MissingObjectError:
            return None

    def hint(self) -> Numbered | None:
        """Read the hint; None if the hint is missing, or cannot be read."""
        try:
            document = self._store.read_json(self._hint)
            data = json.dumps(document["object"]).encode()
            return Numbered(int(document["number"]), data)
        except MissingObjectError:
            return None
        except (
            DamagedObjectError,
            KeyError,
            TypeError,
            ValueError,
            OverflowError,
        ) as error:
            logger.warning(
                "%s cannot be read, so objects are listed: %s", self._hint, error
            )
            return None

    def newest(self, known: int = 0) -> Numbered:
        """Find the object with the highest number.

        Args:
            known: the number of an object that exists, or 0. A known number saves the
                request for the hint.
        """
        newest = Numbered(known, None)
        if not known:
            newest = self.hint() or Numbered(self._highest_listed(), None)
        while (data := self.read(newest.number + 1)) is not None:
            newest = Numbered(newest.number + 1, data)
        return newest

    def append(
        self,
        after: int,
        make: Callable[[int], bytes],
        is_own: Callable[[int, bytes], bool],
    ) -> Numbered:
        """Create an object at the first free number after `after`.

        Of several callers that append at the same time, each gets a different number.
        The caller writes the hint, after whatever must come before the hint.

        Args:
            after: the number to start after.
            make: makes an object's bytes, which are JSON.
            is_own: whether an object on the way is the caller's own. The caller's own
                object counts as the new object.
        """
        number = after
        while True:
            number += 1
            data = make(number)
            try:
                self._store.create(self.key(number), data)
            except ConflictError:
                data = self._store.read(self.key(number))
                if not is_own(number, data):
                    continue
            return Numbered(number, data)

    def note(self, newest: Numbered) -> None:
        """Write the hint. A failure does no harm: the next search takes a little longer."""
        document = {
            "number": newest.number,
            "object": json.loads(newest.data or b"null"),
        }
        try:
            self._store.write_json(self._hint, document)
        except StoreError as error:
            logger.warning("The hint was not written: %s", error.detail)

    def _highest_listed(self) -> int:
        before, after = self._name.split("{}")
        start = re.escape(f"{self._folder}/{before}")
        pattern = re.compile(rf"{start}([1-9][0-9]{{0,17}}){re.escape(after)}")
        highest = 0
        for entry in self._store.walk(self._folder):
            match = pattern.fullmatch(entry.key)
            if match:
                highest = max(highest, int(match[1]))
        return highest
