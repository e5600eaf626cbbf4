"""Numbered objects, 1, 2, 3, … without a gap. The newest is found in two requests, however many there are.

A hint beside the objects is a copy of one of the newest. From there the next number is
tried until there is none. A hint may lag, because its writer can die between the object
and the hint. A store from before there were hints has
none: its objects are listed, until the next one is added.
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
    """An object's number, and its bytes where they were read on the way. Number 0: there is no object."""

    number: int
    data: bytes | None


class Series:
    """One series of objects.

    Args:
        store: where the objects are.
        folder: that all their keys begin with.
        name: an object's key below the folder, with `{}` for its number.
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
        """An object's bytes; None when there is none of this number."""
        try:
            return self._store.read(self.key(number))
        except MissingObjectError:
            return None

    def hint(self) -> Numbered | None:
        """What the hint says; None when there is no hint that can be read."""
        try:
            document = self._store.read_json(self._hint)
            return Numbered(
                int(document["number"]), json.dumps(document["object"]).encode()
            )
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
        """The object with the highest number.

        Args:
            known: a number that is there, if one is known: then one request is enough.
        """
        found = (
            Numbered(known, None)
            if known
            else self.hint() or Numbered(self._highest(), None)
        )
        while (data := self.read(found.number + 1)) is not None:
            found = Numbered(found.number + 1, data)
        return found

    def append(
        self,
        after: int,
        make: Callable[[int], bytes],
        is_own: Callable[[int, bytes], bool],
    ) -> Numbered:
        """Create an object at the first number after `after` that is free.

        Of several that append at once, each gets a number of its own. Writing the hint
        is left to the caller, who may have something to do before.

        Args:
            after: where to begin.
            make: an object's bytes, which are JSON.
            is_own: asked of each object on the way. The first that is the caller's own
                is taken for the new one.
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
        """Write the hint. Failing to is no fault: the next look is a little longer."""
        document = {
            "number": newest.number,
            "object": json.loads(newest.data or b"null"),
        }
        try:
            self._store.write_json(self._hint, document)
        except StoreError as error:
            logger.warning("The hint was not written: %s", error.detail)

    def _highest(self) -> int:
        before, after = self._name.split("{}")
        pattern = re.compile(
            rf"{re.escape(f'{self._folder}/{before}')}([1-9][0-9]{{0,17}}){re.escape(after)}"
        )
        matches = (
            pattern.fullmatch(entry.key) for entry in self._store.walk(self._folder)
        )
        return max((int(match[1]) for match in matches if match), default=0)
