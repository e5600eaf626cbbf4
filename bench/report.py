"""What was measured, as tables and a figure in docs/performance.md, and what of it is slower than before."""

import math
import re
import statistics
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

from bench.containers import MEGABYTES, MEGABYTES_A_CORE
from bench.markdown import table
from bench.measure import Figures, quantile, spread
from bench.servers import CONNECTIONS

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "performance.md"
PLOT = DOCS / "images" / "performance.svg"

NAMES = {
    "digits": "**digits**",
    "floor": "floor: decode, invoke and JSON alone",
    "onnx": "ONNX Runtime handler",
    "keras": "Keras handler, `model(x)`",
    "predict": "Keras handler, `model.predict(x)`",
    "fastapi": "FastAPI + Keras",
    "litserve": "LitServe + Keras",
    "bentoml": "BentoML + Keras",
    "tensorflow": "`tf.io.TFRecordWriter` in a loop",
    "lab": "the lab's",
    "lite": "`lite`",
}
# What is expected of one figure over another: its name, dividend, divisor and the least quotient.
GOALS = (
    ("Keras handler's cold start", "cold.keras.s", "cold.digits.s", 15),
    (
        "the same in a container",
        "container-cold.keras.s",
        "container-cold.digits.s",
        15,
    ),
    ("Keras handler's warm answer, 28×28", "warm-28.keras.ms", "warm-28.digits.ms", 20),
    (
        "the floor, over our warm answer",
        "warm-28.floor.ms",
        "warm-28.digits.ms",
        1 / 1.5,
    ),
    ("Keras handler's memory", "memory.keras.MB", "memory.digits.MB", 4),
    ("Keras handler's image", "image.keras.MB", "image.digits.MB", 4),
    (
        "our requests a second over FastAPI's, 8 connections",
        "serve-8.digits.requests/s",
        "serve-8.fastapi.requests/s",
        5,
    ),
    (
        "our conversion over TensorFlow's",
        "convert.digits.images/s",
        "convert.tensorflow.images/s",
        2,
    ),
)
# First tier in US East (N. Virginia), looked up on 2026-11-23: https://aws.amazon.com/lambda/pricing/
_GB_SECOND = {"x86": 0.0000166667, "arm64": 0.0000133334}
_PROVISIONED_GB_SECOND = 0.0000041667
_MILLION_INVOCATIONS = 0.20
_MONTH_SECONDS = 30 * 24 * 3600
# Less is chance on a machine that does other things besides.
_SLOWER = 1.25


def slower(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What got slower, or larger, by more than chance. Times and rates are divided by the reference's time.

    Of a training there is no telling: its figures are one course, and no repetitions.
    """
    found = []
    for section in (before.keys() & after.keys()) - {"training"}:
        old, new = before[section], after[section]
        pace = statistics.median(new["reference"]) / statistics.median(old["reference"])
        for name in old["figures"].keys() & new["figures"].keys():
            was, now = old["figures"][name], new["figures"][name]
            ratio = statistics.median(now) / statistics.median(was)
            if name.endswith("/s"):
                ratio = 1 / ratio
            if not name.endswith(".MB"):
                ratio /= pace
            if ratio > _SLOWER + spread(was) + spread(now):
                found.append(f"{name}: {ratio:.2f} times as much as before")
    return sorted(found)


def write(measured: dict[str, Any]) -> None:
    """Renew the tables of the page, and its figure."""
    PAGE.write_text(fill(PAGE.read_text(), measured))
    _plot(_figures(measured))


def fill(page: str, measured: dict[str, Any]) -> str:
    """The page with its tables renewed, between their markers."""
    figures = _figures(measured)
    tables = {
        "goals": _goals(figures),
        "cold": _cold(figures),
        "imports": _imports(figures),
        "containers": _containers(figures),
        "warm": _warm(figures),
        "servers": _servers(figures),
        "pipeline": _pipeline(figures),
        "training": _training(figures),
        "costs": _costs(figures),
        "machine": _machine(measured),
    }
    for name, rows in tables.items():
        before, start, rest = page.partition(f"<!-- bench: {name} -->\n")
        _, end, after = rest.partition("<!-- /bench -->")
        if not end:
            raise ValueError(f"Expected a place for the table {name} in the page.")
        page = f"{before}{start}{rows}\n{end}{after}"
    return page


def _figures(measured: dict[str, Any]) -> Figures:
    return {
        name: values
        for part in measured.values()
        for name, values in part["figures"].items()
    }


def _goals(figures: Figures) -> str:
    rows = []
    for name, dividend, divisor, least in GOALS:
        if dividend in figures and divisor in figures:
            ratio = statistics.median(figures[dividend]) / statistics.median(
                figures[divisor]
            )
            rows.append(
                (
                    name,
                    f"{ratio:.3g}",
                    f"{least:.3g}",
                    "yes" if ratio >= least else "**no**",
                )
            )
    return table(("ratio", "found", "wanted at least", "met"), rows)


def _cold(figures: Figures) -> str:
    rows = [
        (
            NAMES[name],
            _median(figures, f"cold.{name}.s", 3),
            _range(figures, f"cold.{name}.s"),
            _median(figures, f"import.{name}.s", 3),
            _median(figures, f"cold-dropped.{name}.s", 3),
            _median(figures, f"memory.{name}.MB", 0),
        )
        for name in _subjects(figures, "cold")
    ]
    heads = (
        "",
        "first answer, s",
        "min to max",
        "of that, import",
        "page cache dropped",
        "peak memory, MB",
    )
    return table(heads, rows)


def _containers(figures: Figures) -> str:
    rows = [
        (
            NAMES[name],
            _median(figures, f"image.{name}.MB", 0),
            _median(figures, f"container-cold.{name}.s", 3),
            _range(figures, f"container-cold.{name}.s"),
            _median(figures, f"container-warm.{name}.ms", 2),
            _quantile(figures, f"container-warm.{name}.ms", 0.99, 1),
        )
        for name in _subjects(figures, "container-cold")
    ]
    sizes = [
        (
            f"{size} MB: {size / MEGABYTES_A_CORE:.2f} cores",
            "",
            _median(figures, f"memory-{size}-cold.digits.s", 3),
            _range(figures, f"memory-{size}-cold.digits.s"),
            _median(figures, f"memory-{size}-warm.digits.ms", 2),
            _quantile(figures, f"memory-{size}-warm.digits.ms", 0.99, 1),
        )
        for size in MEGABYTES
    ]
    heads = (
        "",
        "image over its base, MB",
        "first answer, s",
        "min to max",
        "warm p50, ms",
        "p99, ms",
    )
    return table(heads, rows + sizes)


def _imports(figures: Figures) -> str:
    parts = {
        name.split(".")[1]: statistics.median(it)
        for name, it in figures.items()
        if name.startswith("import-part.")
    }
    ranked = sorted(parts.items(), key=lambda part: -part[1])
    rows = [
        (f"`{name}`" if name != "other" else "Python's and others", f"{it:.1f}")
        for name, it in ranked
    ]
    return table(("own modules of", "ms"), rows)


def _costs(figures: Figures) -> str:
    """By what warm answers and a cold start take with the memory's share of a core; each is billed in whole ms."""
    rows = []
    for size in MEGABYTES:
        warm, cold = f"memory-{size}-warm.digits.ms", f"memory-{size}-cold.digits.s"
        if warm in figures:
            gigabytes, billed = (
                size / 1024,
                statistics.fmean(map(math.ceil, figures[warm])),
            )
            million = [
                _MILLION_INVOCATIONS + 1e3 * billed * gigabytes * price
                for price in _GB_SECOND.values()
            ]
            start = (
                1e6 * statistics.median(figures[cold]) * gigabytes * _GB_SECOND["x86"]
            )
            month = _MONTH_SECONDS * gigabytes * _PROVISIONED_GB_SECOND
            rows.append(
                (
                    f"{size} MB",
                    f"{billed:.1f} ms",
                    *(f"${it:.2f}" for it in (*million, start, month)),
                )
            )
    heads = (
        "memory",
        "billed, on average",
        "a million, x86",
        "arm64, if as fast",
        "a million cold starts",
        "one kept warm, a month",
    )
    return table(heads, rows)


def _warm(figures: Figures) -> str:
    rows = []
    for size in ("28", "1000"):
        for name in _subjects(figures, f"warm-{size}"):
            key = f"warm-{size}.{name}.ms"
            parts = [
                statistics.median(figures.get(f"{part}-{size}.{name}.ms", [0]))
                for part in ("decode", "infer")
            ]
            rest = statistics.median(figures[key]) - sum(parts)
            shares = (
                " + ".join(f"{it:.3f}" for it in (*parts, rest)) if any(parts) else ""
            )
            rows.append(
                (
                    f"{size}×{size}",
                    NAMES[name],
                    _median(figures, key, 3),
                    _quantile(figures, key, 0.99, 3),
                    shares,
                )
            )
    return table(("PNG", "", "p50, ms", "p99, ms", "decode + infer + rest, ms"), rows)


def _servers(figures: Figures) -> str:
    rows = []
    for name in _subjects(figures, "serve-1"):
        cells = []
        for count in CONNECTIONS:
            rate, p50, p99 = (
                _median(figures, f"serve-{count}{it}", digits)
                for it, digits in (
                    (f".{name}.requests/s", 0),
                    (f"-p50.{name}.ms", 1),
                    (f"-p99.{name}.ms", 0),
                )
            )
            cells.append(f"{rate} ({p50}, {p99})")
        rows.append((NAMES[name], *cells))
    heads = [f"{count} connection{'s' * (count > 1)}" for count in CONNECTIONS]
    return table(("requests/s (p50, p99 in ms)", *heads), rows)


def _pipeline(figures: Figures) -> str:
    names = {
        "convert.digits.images/s": "`digits.datasets.convert`, npz to TFRecords",
        "convert.tensorflow.images/s": NAMES["tensorflow"],
        "input.parse.images/s": "shards parsed, checksums verified",
        "input.split.images/s": "split into training and validation",
        "input.batches.images/s": "shuffled batches from memory",
        "bulk.digits.images/s": "the classifier, int8, one image at a time, one core",
        "bulk.keras.images/s": "Keras `predict`, batches of 512, one core",
    }
    rows = [
        (text, _median(figures, name, 0), _range(figures, name, 0))
        for name, text in names.items()
        if name in figures
    ]
    rows += [
        (
            f"the conversion of {found[1]}× MNIST, {found[2]}",
            _median(figures, name, 0),
            "",
        )
        for name in figures
        if (found := re.fullmatch(r"convert-(\d+)\.digits\.(.+)", name))
    ]
    return table(("images/s, if not otherwise", "median", "min to max"), rows)


def _training(figures: Figures) -> str:
    rows = [
        (NAMES[name], f"{seconds:.0f}", f"{accuracy:.4f}")
        for name in _subjects(figures, "training")
        for seconds, accuracy in zip(
            figures[f"training.{name}.s"],
            figures[f"training-accuracy.{name}.share"],
            strict=True,
        )
    ]
    return table(("recipe", "seconds of training", "accuracy on the test digits"), rows)


def _machine(measured: dict[str, Any]) -> str:
    """A row for the sections that were measured on the same day with the same versions."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for section, part in measured.items():
        about = dict(part["machine"])
        date, processor, cores, system = (
            about.pop(name) for name in ("date", "processor", "cores", "system")
        )
        versions = ", ".join(f"{name} {number}" for name, number in about.items())
        noise = f"{section} {statistics.median(part['reference']):.2f} ± {100 * spread(part['reference']):.0f} %"
        rows.setdefault(
            (date, f"{processor}, {cores} cores, {system}", versions), []
        ).append(noise)
    heads = ("on", "machine", "versions", "reference, ms")
    return table(heads, [(*about, ", ".join(noises)) for about, noises in rows.items()])


def _plot(figures: Figures) -> None:
    panels = (
        (
            "First answer of a new process, s",
            "cold.{}.s",
            ("digits", "onnx", "keras", "predict"),
        ),
        (
            "Warm answer to a 28×28 PNG, ms",
            "warm-28.{}.ms",
            ("digits", "onnx", "keras", "predict"),
        ),
        (
            "Requests a second, 8 connections",
            "serve-8.{}.requests/s",
            ("digits", "fastapi", "litserve", "bentoml"),
        ),
    )
    mpl.rcParams |= {"svg.hashsalt": "digits", "font.size": 9}
    canvas, axes = plt.subplots(1, len(panels), figsize=(11, 2.4), layout="constrained")
    for axis, (title, key, names) in zip(axes, panels, strict=True):
        there = [name for name in names if key.format(name) in figures][::-1]
        medians = [statistics.median(figures[key.format(name)]) for name in there]
        labels = [
            NAMES[name].replace("*", "").replace("`", "").replace(" handler", "")
            for name in there
        ]
        bars = axis.barh(
            labels,
            medians,
            color=["#2a6f97" if name == "digits" else "#b8c4cc" for name in there],
        )
        axis.bar_label(bars, [f"{float(f'{it:.3g}'):,g}" for it in medians], padding=3)
        axis.set(title=title, xlim=(0, 1.2 * max(medians, default=1)), xticks=[])
        axis.spines[["top", "right", "bottom"]].set_visible(False)
    canvas.savefig(PLOT, metadata={"Date": None})
    plt.close(canvas)


def _subjects(figures: Figures, section: str) -> list[str]:
    """Of which there are figures, in the order of `NAMES`."""
    there = {name.split(".")[1] for name in figures if name.startswith(f"{section}.")}
    return [name for name in NAMES if name in there]


def _median(figures: Figures, name: str, digits: int) -> str:
    return f"{statistics.median(figures[name]):,.{digits}f}" if name in figures else ""


def _quantile(figures: Figures, name: str, share: float, digits: int) -> str:
    return f"{quantile(figures[name], share):,.{digits}f}" if name in figures else ""


def _range(figures: Figures, name: str, digits: int = 3) -> str:
    return (
        f"{min(figures[name]):,.{digits}f} to {max(figures[name]):,.{digits}f}"
        if name in figures
        else ""
    )
