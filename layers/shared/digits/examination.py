"""What the doctor knows of a store while it looks: a listing, and what it has found so far."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from digits.errors import DamagedObjectError, MissingObjectError, UnknownError
from digits.store import Entry, Store

Found = TypeVar("Found")


@dataclass(frozen=True)
class Finding:
    """Something that is not as it must be: which object or folder, what is wrong, and what to do."""

    key: str
    problem: str
    remedy: str


class Examination:
    """A store at one moment.

    Args:
        store: is only read.
        patience: for how long something unfinished must have rested to count as abandoned.

    Attributes:
        entries: every object, by key.
        findings: in the order in which they were found.
    """

    def __init__(self, store: Store, patience: timedelta) -> None:
        self.store = store
        self.entries = {entry.key: entry for entry in store.walk("")}
        self.findings: list[Finding] = []
        self._rested = datetime.now(UTC) - patience

    def add(self, key: str, problem: str, remedy: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(key, problem, remedy))

    def read(self, key: str, remedy: str, load: Callable[[], Found]) -> Found | None:
        """What `load` returns; None, and a finding at `key`, if it cannot be read."""
        try:
            return load()
        except (DamagedObjectError, MissingObjectError, UnknownError) as error:
            self.add(key, error.detail, remedy)
            return None

    def names(self, folder: str) -> list[str]:
        """What is directly in a folder, without indexes, whose names begin with a dot."""
        inside = (entry.key.removeprefix(f"{folder}/") for entry in self.under(folder))
        return sorted(
            {path.partition("/")[0] for path in inside if not path.startswith(".")}
        )

    def under(self, folder: str) -> list[Entry]:
        """Every object in a folder."""
        return [
            entry for key, entry in self.entries.items() if key.startswith(f"{folder}/")
        ]

    def is_abandoned(self, folder: str) -> bool:
        """Whether nobody has written into a folder for long."""
        return all(self.has_rested(entry.modified) for entry in self.under(folder))

    def has_rested(self, moment: datetime) -> bool:
        """Whether a moment is long ago."""
        return moment <= self._rested
