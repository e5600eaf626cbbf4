"""What predictions on Lambda cost."""

import math
import statistics

from bench.cells import Table
from bench.containers import MEGABYTES
from bench.measure import Figures

# First tier in US East (N. Virginia), looked up on 2026-11-23: https://aws.amazon.com/lambda/pricing/
_DOLLARS_PER_GB_SECOND = {"x86": 0.0000166667, "arm64": 0.0000133334}
_DOLLARS_PER_PROVISIONED_GB_SECOND = 0.0000041667
_DOLLARS_PER_MILLION_INVOCATIONS = 0.20
_MONTH_SECONDS = 30 * 24 * 3600


def costs_table(figures: Figures) -> Table:
    """Prices of answers and starts that take as long as those with the memory's share of a core."""
    heads = (
        "memory",
        "billed per answer, mean",
        "million answers, x86",
        "million answers, arm64 at the same speed",
        "million cold starts",
        "one warm environment per month",
    )
    rows = []
    for size in MEGABYTES:
        warm = figures.get(f"memory-{size}-warm.digits.ms")
        cold = figures.get(f"memory-{size}-cold.digits.s")
        if warm and cold:
            gigabytes = size / 1024
            # Lambda bills whole milliseconds.
            billed = statistics.fmean(map(math.ceil, warm))
            dollars = [
                _DOLLARS_PER_MILLION_INVOCATIONS + 1e3 * billed * gigabytes * price
                for price in _DOLLARS_PER_GB_SECOND.values()
            ]
            start = statistics.median(cold) * gigabytes * _DOLLARS_PER_GB_SECOND["x86"]
            dollars.append(1e6 * start)
            provisioned = gigabytes * _DOLLARS_PER_PROVISIONED_GB_SECOND
            dollars.append(_MONTH_SECONDS * provisioned)
            prices = [f"${amount:.2f}" for amount in dollars]
            rows.append((f"{size} MB", f"{billed:.1f} ms", *prices))
    return Table(heads, rows)
