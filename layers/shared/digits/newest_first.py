"""Folders of the store, listed newest first, a page at a time.

S3 lists keys in ascending order only. So each item has an empty index object,
`<folder>/.newest/<name>`, whose name sorts newer items first. Items from before there
was an index are found by their own keys, and come last.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from digits.store import Entry, Store

PAGE = 50
# Milliseconds since 1970, in the year 2286: every index name has 13 digits until then.
_END = 9_999_999_999_999
# Sorts before every letter and digit, so a listing of the folder begins with the index.
_INDEX = ".newest"
# Begins the name of an item without an index object. A letter sorts after the digits
# that begin an index name.
_UNINDEXED = "old-"


class Page(NamedTuple):
    """Ids, newest first, and what to ask for the next page with; None on the last."""

    ids: list[str]
    next: str | None


class Folder:
    """A folder of items, `<folder>/<id>/…`.

    Args:
        store: has the folder.
        name: the folder's key.
        marker: a file that each item has.
    """

    def __init__(self, store: Store, name: str, marker: str) -> None:
        self._store = store
        self._name = name
        self._index = f"{name}/{_INDEX}"
        self._marker = marker

    def add(self, item: str, created: datetime) -> None:
        """Index an item. A repeated call does no harm."""
        self._store.write(f"{self._index}/{_index_name(created, item)}", b"")

    def page(self, after: str | None = None, limit: int = PAGE) -> Page:
        """The newest items.

        Args:
            after: `next` of the page before.
            limit: the most items on the page.
        """
        # One name more than the page holds shows whether there is a next page.
        names = list(islice(self._indexed(after), limit + 1))
        if len(names) <= limit:
            names = sorted({*names, *self._unindexed(after)})
        ids = [name.partition("_")[2] for name in names[:limit]]
        is_last = len(names) <= limit
        return Page(ids, None if is_last else names[limit - 1])

    def _indexed(self, after: str | None) -> Iterator[str]:
        offset = f"{self._index}/{after}" if after else None
        for entry in self._store.walk(self._index, offset):
            yield entry.key.rpartition("/")[2]

    def _unindexed(self, after: str | None) -> Iterator[str]:
        """Names of the items without an index object.

        This lists the whole folder. `page` does so only on the last page of the index:
        the folder is small, or the items are old.
        """
        entries = self._store.entries(self._name)
        indexed = set()
        for entry in entries:
            if entry.key.startswith(f"{self._index}/"):
                indexed.add(entry.key.partition("_")[2])
        for entry in entries:
            item = self._item_of(entry)
            if item is None or item in indexed:
                continue
            name = _UNINDEXED + _index_name(entry.modified, item)
            if name > (after or ""):
                yield name

    def _item_of(self, entry: Entry) -> str | None:
        """The item whose marker an object is; None for other objects."""
        _, item, *path = entry.key.split("/")
        return item if path == [self._marker] else None


def _index_name(created: datetime, item: str) -> str:
    milliseconds = int(created.timestamp() * 1000)
    return f"{_END - milliseconds:013}_{item}"
