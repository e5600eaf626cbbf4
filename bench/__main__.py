"""Measure, compare with what was measured last, and write the tables of docs/performance.md and their figure.

python -m bench [--full] [SECTION...]
"""

import argparse
import json
import tempfile
from importlib import import_module
from pathlib import Path

from bench.measure import SkippedError, machine, reference, to_json
from bench.setting import prepare

# With the rounds that each takes, in a few minutes and in `--full`. For the first,
# nothing that it measures may be in this process, which would keep it in the page
# cache.
SECTIONS = {
    "handlers": (7, 21),
    "containers": (3, 9),
    "servers": (1, 3),
    "bulk": (5, 15),
    "convert": (7, 15),
    "input": (9, 15),
}
LONG = {"training": 1}
FIGURES = Path(__file__).with_name("figures.json")


def main() -> None:
    """Measure some sections, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help=", ".join([*SECTIONS, *LONG])
    )
    parser.add_argument(
        "--full", action="store_true", help="three times as often, and the training"
    )
    options = parser.parse_args()
    if unknown := set(options.sections) - {*SECTIONS, *LONG}:
        parser.error(
            f"There is no section {', '.join(sorted(unknown))}. There are {', '.join([*SECTIONS, *LONG])}."
        )
    rounds = {
        name: full if options.full else few for name, (few, full) in SECTIONS.items()
    }
    wanted = options.sections or [*rounds, *(LONG if options.full else ())]
    before = json.loads(FIGURES.read_bytes())
    measured = dict(before)
    with tempfile.TemporaryDirectory() as folder:
        setting = prepare(Path(folder))
        for name in wanted:
            print(f"{name} ...", flush=True)
            try:
                figures = import_module(f"bench.{name}").measure(
                    setting, (rounds | LONG)[name]
                )
            except SkippedError as reason:
                print(f"  left out: {reason}")
                continue
            measured[name] = {
                "machine": machine(),
                "reference": reference(),
                "figures": figures,
            }
            # What fails later loses nothing.
            FIGURES.write_text(to_json(measured))
    from bench import report

    # The page has the file's figures, which are rounded.
    measured = json.loads(FIGURES.read_bytes())
    report.write(measured)
    for line in report.slower(before, measured) or ["Nothing got slower."]:
        print(line)


if __name__ == "__main__":
    main()
