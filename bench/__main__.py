"""Measures, compares with the last time, and writes the tables and plot of docs/performance.md.

python -m bench [--full] [SECTION...]
"""

import argparse
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from bench.measure import (
    Measured,
    SkippedError,
    load_measured,
    machine,
    reference,
    save_measured,
)
from bench.setting import Setting, prepare

FIGURES = Path(__file__).with_name("figures.json")


@dataclass(frozen=True)
class Rounds:
    """How often a section measures, without and with `--full`. 0 leaves the section out."""

    short: int
    full: int


# `handlers` comes first: it drops the page cache, which cannot drop what this process
# has loaded by then.
SECTIONS = {
    "handlers": Rounds(7, 21),
    "containers": Rounds(3, 9),
    "servers": Rounds(1, 3),
    "bulk": Rounds(5, 15),
    "convert": Rounds(7, 15),
    "input": Rounds(9, 15),
    "training": Rounds(0, 1),
}


def main() -> None:
    """Measure the sections that the command line names, or all of them."""
    options = _options()
    before = load_measured(FIGURES)
    measured = dict(before)
    with tempfile.TemporaryDirectory() as folder:
        setting = prepare(Path(folder))
        for name in options.sections or SECTIONS:
            rounds = SECTIONS[name].full if options.full else SECTIONS[name].short
            if rounds or options.sections:
                _measure(name, setting, max(rounds, 1), measured)
    # matplotlib loads NumPy.
    from bench import report

    # The file rounds the figures, and the page shows the file's.
    measured = load_measured(FIGURES)
    report.write_page(measured)
    for line in report.slower(before, measured) or ["Nothing got slower."]:
        print(line)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS)
    )
    parser.add_argument(
        "--full", action="store_true", help="three times as often, and the training"
    )
    options = parser.parse_args()
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(
            f"Unknown section: {', '.join(sorted(unknown))}. "
            f"Choose from {', '.join(SECTIONS)}."
        )
    return options


def _measure(
    name: str, setting: Setting, rounds: int, measured: dict[str, Measured]
) -> None:
    """Measure one section, and save the figures at once: a later failure loses nothing."""
    print(f"{name} ...", flush=True)
    section = import_module(f"bench.{name}")
    try:
        figures = section.measure(setting, rounds)
    except SkippedError as reason:
        print(f"  left out: {reason}")
        return
    measured[name] = Measured(machine(), reference(), figures)
    save_measured(FIGURES, measured)


if __name__ == "__main__":
    main()
