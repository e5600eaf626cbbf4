"""The plot of docs/performance.md: cold start, warm answers and throughput beside the peers."""

import statistics
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from bench.measure import Figures

OURS, THEIRS = "#2a6f97", "#b8c4cc"
# Room at the right of the longest bar for its number.
MARGIN = 1.2


@dataclass(frozen=True)
class Panel:
    """One bar chart.

    Attributes:
        title: with the unit.
        figure: the name of the figures, with `{}` in place of the subject.
        labels: of the bars, by subject.
    """

    title: str
    figure: str
    labels: dict[str, str]


_HANDLERS = {
    "digits": "digits",
    "onnx": "ONNX Runtime",
    "keras": "Keras, model(x)",
    "predict": "Keras, model.predict(x)",
}
_SERVICES = {
    "digits": "digits",
    "fastapi": "FastAPI + Keras",
    "litserve": "LitServe + Keras",
    "bentoml": "BentoML + Keras",
}
PANELS = (
    Panel("First answer of a new process, s", "cold.{}.s", _HANDLERS),
    Panel("Warm answer to a 28×28 PNG, ms", "warm-28.{}.ms", _HANDLERS),
    Panel("Requests per second, 8 connections", "serve-8.{}.requests/s", _SERVICES),
)


def draw(figures: Figures, target: Path) -> None:
    """Write the plot as SVG. The same figures make the same bytes."""
    mpl.rcParams |= {"svg.hashsalt": "digits", "font.size": 9}
    canvas, axes = plt.subplots(1, len(PANELS), figsize=(11, 2.4), layout="constrained")
    for axis, panel in zip(axes, PANELS, strict=True):
        _draw_panel(axis, panel, figures)
    canvas.savefig(target, metadata={"Date": None})
    plt.close(canvas)


def _draw_panel(axis: Axes, panel: Panel, figures: Figures) -> None:
    labels, medians, colours = [], [], []
    # Bars go from the bottom up.
    for subject, label in reversed(panel.labels.items()):
        values = figures.get(panel.figure.format(subject))
        if values:
            labels.append(label)
            medians.append(statistics.median(values))
            colours.append(OURS if subject == "digits" else THEIRS)
    bars = axis.barh(labels, medians, color=colours)
    axis.bar_label(bars, [_three_digits(median) for median in medians], padding=3)
    axis.set(title=panel.title, xlim=(0, MARGIN * max(medians, default=1)), xticks=[])
    axis.spines[["top", "right", "bottom"]].set_visible(False)


def _three_digits(value: float) -> str:
    return f"{float(f'{value:.3g}'):,g}"
