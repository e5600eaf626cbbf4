"""docs/performance.md shows the last figures, and the comparison tells slower from chance."""

import pytest

from bench import report
from bench.__main__ import FIGURES
from bench.measure import Measured, load_measured


def test_the_page_shows_the_last_figures() -> None:
    page = report.PAGE.read_text()
    assert report.fill(page, load_measured(FIGURES)) == page


def test_the_page_must_have_a_place_for_each_table() -> None:
    with pytest.raises(ValueError, match="bench: goals"):
        report.fill("", load_measured(FIGURES))


def run(*, ms: float, rate: float, megabytes: float, reference: float) -> Measured:
    figures = {
        "warm.digits.ms": [ms] * 3,
        "serve.digits.requests/s": [rate] * 3,
        "memory.digits.MB": [megabytes] * 3,
    }
    return Measured({}, [reference], figures)


@pytest.mark.parametrize(
    ("after", "lines"),
    [
        pytest.param(
            run(ms=2, rate=100, megabytes=50, reference=1),
            ["warm.digits.ms: 2.00 times as much as before"],
            id="time",
        ),
        pytest.param(
            run(ms=1, rate=50, megabytes=50, reference=1),
            ["serve.digits.requests/s: 2.00 times as much as before"],
            id="rate",
        ),
        pytest.param(
            run(ms=1.1, rate=95, megabytes=52, reference=1),
            [],
            id="chance",
        ),
        pytest.param(
            run(ms=2, rate=50, megabytes=50, reference=2),
            [],
            id="a slower machine",
        ),
        pytest.param(
            run(ms=2, rate=50, megabytes=100, reference=2),
            ["memory.digits.MB: 2.00 times as much as before"],
            id="memory on a slower machine",
        ),
    ],
)
def test_slower_is_relative_to_the_reference(after: Measured, lines: list[str]) -> None:
    before = run(ms=1, rate=100, megabytes=50, reference=1)
    assert report.slower({"all": before}, {"all": after}) == lines


def test_figures_that_vary_more_must_differ_more() -> None:
    def measured(values: list[float]) -> dict[str, Measured]:
        return {"all": Measured({}, [1.0], {"warm.digits.ms": values})}

    before = measured([0.5, 0.7, 1.0, 1.3, 1.5])
    assert not report.slower(before, measured([0.8, 1.0, 1.5, 2.0, 2.2]))
    assert report.slower(before, measured([3.0, 3.0, 3.0]))
