"""The doctor's view of a store: a listing of the store, and the findings so far."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from digits.errors import DamagedObjectError, MissingObjectError, UnknownError
from digits.store import Entry, Store

Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class Finding:
    """A fault in the store: the object or folder, what is wrong, and what to do."""

    key: str
    problem: str
    remedy: str


class Examination:
    """A store at one moment.

    Args:
        store: is only read.
        patience: how long ago the last write into something unfinished must be, to
            count as abandoned.

    Attributes:
        entries: every object, by key.
        findings: in the order of the checks.
    """

    def __init__(self, store: Store, patience: timedelta) -> None:
        self.store = store
        self.patience = patience
        self.entries = {entry.key: entry for entry in store.walk("")}
        self.findings: list[Finding] = []
        self._abandoned_before = datetime.now(UTC) - patience

    def add(self, key: str, problem: str, remedy: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(key, problem, remedy))

    def load(self, key: str, remedy: str, load: Callable[[], Loaded]) -> Loaded | None:
        """What `load` returns; None, and a finding at `key`, if the object cannot be read."""
        try:
            return load()
        except (DamagedObjectError, MissingObjectError, UnknownError) as error:
            self.add(key, error.detail, remedy)
            return None

    def names(self, folder: str) -> list[str]:
        """Names directly in a folder, without indexes, which begin with a dot."""
        names = set()
        for entry in self.under(folder):
            name, _, _ = entry.key.removeprefix(f"{folder}/").partition("/")
            if not name.startswith("."):
                names.add(name)
        return sorted(names)

    def under(self, folder: str) -> list[Entry]:
        """Every object in a folder."""
        prefix = f"{folder}/"
        return [
            entry for entry in self.entries.values() if entry.key.startswith(prefix)
        ]

    def is_abandoned(self, folder: str) -> bool:
        """Whether the last write into a folder is long ago."""
        return all(self.is_long_ago(entry.modified) for entry in self.under(folder))

    def is_long_ago(self, moment: datetime) -> bool:
        """Whether a moment is longer ago than the patience."""
        return moment <= self._abandoned_before
