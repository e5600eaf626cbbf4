"""docs/performance.md has the figures that were measured last, and what got slower is told from chance."""

import json
from typing import Any

import pytest

from bench import report
from bench.__main__ import FIGURES


def test_the_page_has_the_figures_measured_last() -> None:
    page = report.PAGE.read_text()
    assert report.fill(page, json.loads(FIGURES.read_bytes())) == page


@pytest.mark.parametrize(
    ("milliseconds", "requests", "megabytes", "reference", "found"),
    [
        (2.0, 100.0, 50.0, 1.0, ["warm.digits.ms: 2.00"]),
        (1.0, 50.0, 50.0, 1.0, ["serve.digits.requests/s: 2.00"]),
        (1.1, 95.0, 52.0, 1.0, []),
        # The machine takes twice as long for everything; memory has nothing to do with that.
        (2.0, 50.0, 50.0, 2.0, []),
        (2.0, 50.0, 100.0, 2.0, ["memory.digits.MB: 2.00"]),
    ],
)
def test_slower_is_what_took_more_times_the_reference(
    milliseconds: float,
    requests: float,
    megabytes: float,
    reference: float,
    found: list[str],
) -> None:
    def run(
        milliseconds: float, requests: float, megabytes: float, reference: float
    ) -> dict[str, Any]:
        figures = {
            "warm.digits.ms": milliseconds,
            "serve.digits.requests/s": requests,
            "memory.digits.MB": megabytes,
        }
        return {
            "all": {
                "reference": [reference],
                "figures": {name: [value] * 3 for name, value in figures.items()},
            }
        }

    told = report.slower(
        run(1.0, 100.0, 50.0, 1.0), run(milliseconds, requests, megabytes, reference)
    )
    assert [line.removesuffix(" times as much as before") for line in told] == found


def test_what_varies_much_must_differ_more() -> None:
    before, after, more = (
        {"all": {"reference": [1.0], "figures": {"warm.digits.ms": values}}}
        for values in (
            [0.5, 0.7, 1.0, 1.3, 1.5],
            [0.8, 1.0, 1.5, 2.0, 2.2],
            [3.0, 3.0, 3.0],
        )
    )
    assert not report.slower(before, after)
    assert report.slower(before, more)
