"""Cells and tables of docs/performance.md."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tabulate import tabulate

from bench.measure import Figures

SUBJECTS = {
    "digits": "**digits**",
    "floor": "floor: decode, invoke, JSON",
    "onnx": "ONNX Runtime handler",
    "keras": "Keras handler, `model(x)`",
    "predict": "Keras handler, `model.predict(x)`",
    "fastapi": "FastAPI + Keras",
    "litserve": "LitServe + Keras",
    "bentoml": "BentoML + Keras",
    "lab": "`lab`",
    "lite": "`lite`",
}


@dataclass(frozen=True)
class Table:
    """Text cells under heads."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    def to_markdown(self) -> str:
        """The table, without padding: the cells of one table differ much in length."""
        text = tabulate(
            self.rows,
            self.heads,
            tablefmt="github",
            disable_numparse=True,
            stralign=None,
        )
        return f"{text}\n"


class Cells:
    """Figures as texts. Where there is no figure, the text is empty."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def subjects(self, section: str) -> list[str]:
        """The subjects that a section measured, in the order of `SUBJECTS`."""
        names = [name for name in self._figures if name.startswith(f"{section}.")]
        measured = {name.split(".")[1] for name in names}
        return [subject for subject in SUBJECTS if subject in measured]

    def median(self, name: str, decimals: int) -> str:
        """The median."""
        if name not in self._figures:
            return ""
        return f"{statistics.median(self._figures[name]):,.{decimals}f}"

    def p99(self, name: str, decimals: int) -> str:
        """The 99th percentile."""
        if name not in self._figures:
            return ""
        return f"{quantile(self._figures[name], 0.99):,.{decimals}f}"

    def range(self, name: str, decimals: int) -> str:
        """The smallest value and the largest one."""
        if name not in self._figures:
            return ""
        values = self._figures[name]
        return f"{min(values):,.{decimals}f} to {max(values):,.{decimals}f}"


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least a share of the values does not exceed."""
    return float(np.quantile(values, share, method="inverted_cdf"))


def spread(values: Sequence[float]) -> float:
    """Half of the interquartile range, as a share of the median."""
    width = quantile(values, 0.75) - quantile(values, 0.25)
    return width / 2 / statistics.median(values)
