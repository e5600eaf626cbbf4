"""The tables of docs/performance.md, from raw figures."""

import re
import statistics
from dataclasses import dataclass

from bench.cells import SUBJECTS, Cells, Table, spread
from bench.containers import MEGABYTES, MEGABYTES_PER_CORE
from bench.costs import costs_table
from bench.measure import Figures, Measured
from bench.servers import CONNECTIONS

PIPELINE = {
    "convert.digits.images/s": "`digits.datasets.convert`, npz to TFRecords",
    "convert.tensorflow.images/s": "`tf.io.TFRecordWriter` in a loop",
    "input.parse.images/s": "shards parsed, checksums verified",
    "input.split.images/s": "split into training and validation",
    "input.batches.images/s": "shuffled batches from memory",
    "bulk.digits.images/s": "the classifier, int8, one image at a time, one core",
    "bulk.keras.images/s": "Keras `predict`, batches of 512, one core",
}


@dataclass(frozen=True)
class Goal:
    """What the project expects of the ratio of two figures."""

    name: str
    dividend: str
    divisor: str
    least: float


GOALS = (
    Goal("cold start, Keras handler over digits", "cold.keras.s", "cold.digits.s", 15),
    Goal(
        "cold start in a container, Keras handler over digits",
        "container-cold.keras.s",
        "container-cold.digits.s",
        15,
    ),
    Goal(
        "warm answer to 28×28, Keras handler over digits",
        "warm-28.keras.ms",
        "warm-28.digits.ms",
        20,
    ),
    Goal(
        "warm answer to 28×28, floor over digits",
        "warm-28.floor.ms",
        "warm-28.digits.ms",
        1 / 1.5,
    ),
    Goal("memory, Keras handler over digits", "memory.keras.MB", "memory.digits.MB", 4),
    Goal(
        "image size, Keras handler over digits", "image.keras.MB", "image.digits.MB", 4
    ),
    Goal(
        "requests per second at 8 connections, digits over FastAPI",
        "serve-8.digits.requests/s",
        "serve-8.fastapi.requests/s",
        5,
    ),
    Goal(
        "images per second of the conversion, digits over TensorFlow",
        "convert.digits.images/s",
        "convert.tensorflow.images/s",
        2,
    ),
)


def all_tables(figures: Figures, measured: dict[str, Measured]) -> dict[str, Table]:
    """The tables, by the names in the page's comments."""
    cells = Cells(figures)
    return {
        "goals": _goals(figures),
        "cold": _cold(cells),
        "imports": _imports(figures),
        "containers": _containers(cells),
        "warm": _warm(figures),
        "servers": _servers(cells),
        "pipeline": _pipeline(figures),
        "training": _training(figures),
        "costs": costs_table(figures),
        "machine": _machine(measured),
    }


def _goals(figures: Figures) -> Table:
    rows = []
    for goal in GOALS:
        if goal.dividend in figures and goal.divisor in figures:
            dividend = statistics.median(figures[goal.dividend])
            ratio = dividend / statistics.median(figures[goal.divisor])
            met = "yes" if ratio >= goal.least else "**no**"
            rows.append((goal.name, f"{ratio:.3g}", f"{goal.least:.3g}", met))
    return Table(("ratio", "measured", "goal, at least", "met"), rows)


def _cold(cells: Cells) -> Table:
    heads = (
        "handler",
        "first answer, s",
        "min to max",
        "of that, import",
        "page cache dropped",
        "peak memory, MB",
    )
    rows = []
    for subject in cells.subjects("cold"):
        row = (
            SUBJECTS[subject],
            cells.median(f"cold.{subject}.s", 3),
            cells.range(f"cold.{subject}.s", 3),
            cells.median(f"import.{subject}.s", 3),
            cells.median(f"cold-dropped.{subject}.s", 3),
            cells.median(f"memory.{subject}.MB", 0),
        )
        rows.append(row)
    return Table(heads, rows)


def _imports(figures: Figures) -> Table:
    medians = {}
    for name, values in figures.items():
        if name.startswith("import-part."):
            package = name.split(".")[1]
            label = (
                "Python's library and others" if package == "other" else f"`{package}`"
            )
            medians[label] = statistics.median(values)
    ranked = sorted(medians, key=lambda label: medians[label], reverse=True)
    rows = [(label, f"{medians[label]:.1f}") for label in ranked]
    return Table(("package", "own modules, ms"), rows)


def _containers(cells: Cells) -> Table:
    heads = (
        "image",
        "size over its base, MB",
        "first answer, s",
        "min to max",
        "warm p50, ms",
        "p99, ms",
    )
    rows = []
    for subject in cells.subjects("container-cold"):
        size = cells.median(f"image.{subject}.MB", 0)
        cold, warm = f"container-cold.{subject}.s", f"container-warm.{subject}.ms"
        rows.append((SUBJECTS[subject], size, *_answers(cells, cold, warm)))
    for megabytes in MEGABYTES:
        cores = megabytes / MEGABYTES_PER_CORE
        cold = f"memory-{megabytes}-cold.digits.s"
        warm = f"memory-{megabytes}-warm.digits.ms"
        label = f"digits, {megabytes} MB: {cores:.2f} cores"
        rows.append((label, "", *_answers(cells, cold, warm)))
    return Table(heads, rows)


def _answers(cells: Cells, cold: str, warm: str) -> tuple[str, str, str, str]:
    return (
        cells.median(cold, 3),
        cells.range(cold, 3),
        cells.median(warm, 2),
        cells.p99(warm, 1),
    )


def _warm(figures: Figures) -> Table:
    cells = Cells(figures)
    rows = []
    for size in ("28", "1000"):
        for subject in cells.subjects(f"warm-{size}"):
            name = f"warm-{size}.{subject}.ms"
            row = (
                f"{size}×{size}",
                SUBJECTS[subject],
                cells.median(name, 3),
                cells.p99(name, 3),
                _parts(figures, size, subject),
            )
            rows.append(row)
    heads = ("PNG", "handler", "p50, ms", "p99, ms", "decode + infer + rest, ms")
    return Table(heads, rows)


def _parts(figures: Figures, size: str, subject: str) -> str:
    """What a warm answer consists of, where its handler sends Server-Timing."""
    decode = figures.get(f"decode-{size}.{subject}.ms")
    infer = figures.get(f"infer-{size}.{subject}.ms")
    if not decode or not infer:
        return ""
    parts = [statistics.median(decode), statistics.median(infer)]
    whole = statistics.median(figures[f"warm-{size}.{subject}.ms"])
    parts.append(whole - sum(parts))
    return " + ".join(f"{part:.3f}" for part in parts)


def _servers(cells: Cells) -> Table:
    rows = []
    for subject in cells.subjects("serve-1"):
        row = [SUBJECTS[subject]]
        for count in CONNECTIONS:
            rate = cells.median(f"serve-{count}.{subject}.requests/s", 0)
            p50 = cells.median(f"serve-{count}-p50.{subject}.ms", 1)
            p99 = cells.median(f"serve-{count}-p99.{subject}.ms", 0)
            row.append(f"{rate} ({p50}, {p99})")
        rows.append(row)
    heads = ["requests/s (p50, p99 in ms)"]
    heads += [f"{count} connection{'s' if count > 1 else ''}" for count in CONNECTIONS]
    return Table(heads, rows)


def _pipeline(figures: Figures) -> Table:
    cells = Cells(figures)
    rows = [
        (label, cells.median(name, 0), cells.range(name, 0))
        for name, label in PIPELINE.items()
    ]
    for name in figures:
        repeated = re.fullmatch(r"convert-(\d+)\.digits\.(.+)", name)
        if repeated:
            label = f"conversion of {repeated[1]}× MNIST, {repeated[2]}"
            rows.append((label, cells.median(name, 0), ""))
    return Table(("images/s, unless stated otherwise", "median", "min to max"), rows)


def _training(figures: Figures) -> Table:
    rows = []
    for subject in Cells(figures).subjects("training"):
        accuracies = figures[f"training-accuracy.{subject}.share"]
        times = figures[f"training.{subject}.s"]
        for seconds, accuracy in zip(times, accuracies, strict=True):
            rows.append((SUBJECTS[subject], f"{seconds:.0f}", f"{accuracy:.4f}"))
    return Table(("recipe", "seconds of training", "accuracy on the test digits"), rows)


def _machine(measured: dict[str, Measured]) -> Table:
    """A row per day, machine and set of versions, with the sections that share them."""
    references: dict[tuple[str, str, str], list[str]] = {}
    for name, section in measured.items():
        versions = dict(section.machine)
        date = versions.pop("date")
        processor, cores = versions.pop("processor"), versions.pop("cores")
        machine = f"{processor}, {cores} cores, {versions.pop('system')}"
        listed = ", ".join(
            f"{package} {number}" for package, number in versions.items()
        )
        median = statistics.median(section.reference)
        noise = f"{name} {median:.2f} ± {100 * spread(section.reference):.0f} %"
        references.setdefault((date, machine, listed), []).append(noise)
    rows = [(*about, ", ".join(noises)) for about, noises in references.items()]
    return Table(("date", "machine", "versions", "reference, ms"), rows)
