"""docs/performance.md: its tables and its plot, and which figures are slower than before."""

import statistics
from pathlib import Path

from bench.cells import spread
from bench.measure import Figures, Measured
from bench.plot import draw
from bench.tables import all_tables

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "performance.md"
PLOT = DOCS / "images" / "performance.svg"

# A smaller ratio is chance on a machine that does other things besides.
_SLOWER = 1.25


def write_page(measured: dict[str, Measured]) -> None:
    """Renew the page's tables, and its plot."""
    PAGE.write_text(fill(PAGE.read_text(), measured))
    draw(_merge(measured), PLOT)


def fill(page: str, measured: dict[str, Measured]) -> str:
    """The page with new tables between the comments that mark them.

    Raises:
        ValueError: the page lacks the comments of a table.
    """
    for name, table in all_tables(_merge(measured), measured).items():
        start, end = f"<!-- bench: {name} -->\n", "<!-- /bench -->"
        before, _, rest = page.partition(start)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"The page lacks {start.strip()} and {end}.")
        page = before + start + table.to_markdown() + end + after
    return page


def slower(before: dict[str, Measured], after: dict[str, Measured]) -> list[str]:
    """A line per figure that got slower, or larger, by more than chance.

    Times and rates are compared in units of the reference's time. A training's figures are
    one course and no repetitions, so they are left out.
    """
    lines = []
    for section in (before.keys() & after.keys()) - {"training"}:
        old, new = before[section], after[section]
        pace = statistics.median(new.reference) / statistics.median(old.reference)
        for name in old.figures.keys() & new.figures.keys():
            was, now = old.figures[name], new.figures[name]
            ratio = statistics.median(now) / statistics.median(was)
            if name.endswith("/s"):
                ratio = 1 / ratio
            # Memory and sizes do not depend on the machine's pace.
            if not name.endswith(".MB"):
                ratio /= pace
            if ratio > _SLOWER + spread(was) + spread(now):
                lines.append(f"{name}: {ratio:.2f} times as much as before")
    return sorted(lines)


def _merge(measured: dict[str, Measured]) -> Figures:
    merged: Figures = {}
    for section in measured.values():
        merged |= section.figures
    return merged
