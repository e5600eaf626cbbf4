"""The events of a round, which explain a failure."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Journal:
    """The events of a round in their order, and the number of events of each kind."""

    lines: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, line: str) -> None:
        """Note an event."""
        self.lines.append(line)

    def count(self, kind: str) -> None:
        """Count an event."""
        self.counts[kind] += 1
