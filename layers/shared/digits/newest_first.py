"""What a folder of the store holds, newest first: a page takes one listing, however much there is.

S3 lists keys in ascending order only. So for each thing there is an empty object
`<folder>/.newest/<name>`, and names of newer things come first. Things from before
there were such objects are found by their own keys, behind the others.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from digits.store import Entry, Store

PAGE = 50
# Milliseconds since 1970, in the year 2286. A name has as many digits at all times.
_END = 9_999_999_999_999
# Before every letter and digit: a listing of the folder begins here.
_INDEX = ".newest"
# Begins the name of a thing without an empty object. A letter, so that it comes after
# those that begin with digits.
_UNINDEXED = "old-"


class Page(NamedTuple):
    """Ids, newest first, and what to ask the next page with; None on the last."""

    ids: list[str]
    next: str | None


class Folder:
    """Things in a folder, `<folder>/<id>/…`.

    Args:
        store: where the folder is.
        name: the folder's key.
        marker: the file that each thing has.
    """

    def __init__(self, store: Store, name: str, marker: str) -> None:
        self._store = store
        self._name = name
        self._marker = marker

    def add(self, thing: str, created: datetime) -> None:
        """Note that there is a thing. The same call again does no harm."""
        self._store.write(f"{self._name}/{_INDEX}/{_name(created, thing)}", b"")

    def page(self, after: str | None = None, limit: int = PAGE) -> Page:
        """The newest things.

        Args:
            after: `next` of the page before.
            limit: how many at the most.
        """
        names = list(islice(self._indexed(after), limit + 1))
        if len(names) <= limit:
            names = sorted({*names, *self._unindexed(after)})
        ids = [name.partition("_")[2] for name in names[:limit]]
        return Page(ids, names[limit - 1] if len(names) > limit else None)

    def _indexed(self, after: str | None) -> Iterator[str]:
        prefix = f"{self._name}/{_INDEX}"
        for entry in self._store.walk(prefix, after and f"{prefix}/{after}"):
            yield entry.key.rpartition("/")[2]

    def _unindexed(self, after: str | None) -> Iterator[str]:
        """Names of the things that have no empty object. All of the folder is listed, which is small, or old."""
        entries = self._store.entries(self._name)
        indexed = {
            entry.key.partition("_")[2] for entry in entries if self._is_index(entry)
        }
        for entry in entries:
            _, thing, *rest = entry.key.split("/")
            name = _UNINDEXED + _name(entry.modified, thing)
            if rest == [self._marker] and thing not in indexed and name > (after or ""):
                yield name

    def _is_index(self, entry: Entry) -> bool:
        return entry.key.startswith(f"{self._name}/{_INDEX}/")


def _name(created: datetime, thing: str) -> str:
    return f"{_END - int(created.timestamp() * 1000):013}_{thing}"
