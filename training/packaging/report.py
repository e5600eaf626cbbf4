"""The report on a model: one HTML file that needs nothing beside it."""

import base64
import io
import json
from collections.abc import Iterable
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from digits.models.manifests import (
    METRICS_FILE,
    MODEL_FILE,
    REPORT_FILE,
    SCORE,
    Manifest,
)
from digits.store import Store
from training.evaluation import baselines, samples
from training.evaluation.as_sent import REFUSED
from training.evaluation.study import Study, measure
from training.evaluation.trial import Pictures, Trial
from training.packaging.package import Package
from training.pictures.corruptions import SEVERITIES
from training.pictures.serving import encode_png

_MISTAKES = 30
# The same report, byte for byte, for the same figures.
mpl.rcParams |= {"svg.hashsalt": "digits", "font.size": 9}


def on(
    store: Store, manifest: Manifest, package: Package, pictures: Pictures, trial: Trial
) -> dict[str, bytes]:
    """Study a package that was tried on pictures, beside the models of a store, and report on it."""
    model = package.files[MODEL_FILE]
    found = measure(
        model,
        package.thresholds[SCORE],
        pictures,
        trial,
        exports={"int8": model, "float32": package.float32},
        rivals=baselines.find(store, manifest),
    )
    return files(manifest, found)


def files(manifest: Manifest, found: Study) -> dict[str, bytes]:
    """The report on a model, for people and for programs."""
    document = {"version": manifest.version, **found.figures}
    return {
        METRICS_FILE: json.dumps(document, indent=1).encode(),
        REPORT_FILE: _page(manifest, found).encode(),
    }


def _page(manifest: Manifest, found: Study) -> str:
    figures = found.figures
    sections = {
        "Accuracy": _accuracy(figures) + _confusion(figures["confusion"]),
        "Worst mistakes": _mistakes(found),
        "Calibration": _calibration(figures["calibration"]),
        "Rejection": _rejection(found),
        "Pictures as people send them": _pictures(figures["pictures"]),
        "Corruptions": _corruptions(figures["corruptions"]),
        "Exports": _exports(figures["exports"]),
        "Comparisons": _comparisons(figures["comparisons"]),
    }
    facts = {
        "dataset": f"{manifest.dataset} {manifest.dataset_version}",
        "code": manifest.code_revision,
    }
    about = ", ".join(
        f"{name} {value}" for name, value in (facts | manifest.parameters).items()
    )
    body = "".join(
        f"<section><h2>{title}</h2>{content}</section>"
        for title, content in sections.items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Model {escape(manifest.version)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style>"
        f"<main><h1>Model {escape(manifest.version)}</h1><p>{escape(about)}</p>{_extent(found)}{body}</main></html>"
    )


def _extent(found: Study) -> str:
    """That the study is a short one, if it is."""
    digits, full = found.figures["pictures"]["digits"], samples.digits(samples.LARGE)
    if digits >= full:
        return ""
    return (
        f"<p>A short study: the test split has {len(found.test):,} examples, so {digits} of its digits were corrupted "
        f"and rendered in each way. From {samples.LARGE:,} examples on, {full} are.</p>"
    )


def _accuracy(figures: dict[str, Any]) -> str:
    shares = {"all": figures["accuracy"], **figures["digits"]}
    rows = [
        [name, f"{share['of']:,}", f"{share['share']:.4f}", _interval(share)]
        for name, share in shares.items()
    ]
    return f"<p>Loss {figures['loss']:.4f} nats.</p>" + _table(
        ["Digit", "Examples", "Right", "95 % interval"], rows
    )


def _confusion(confusion: list[list[int]]) -> str:
    rows = [
        [f"<b>{digit}</b>", *(count or "" for count in row)]
        for digit, row in enumerate(confusion)
    ]
    return "<p>Each row a digit, each column what it was read as.</p>" + _table(
        ["", *range(10)], rows
    )


def _mistakes(found: Study) -> str:
    """The most confident of the wrong answers."""
    wrong = np.flatnonzero(~found.answers.right(found.test.labels))
    worst = wrong[np.argsort(-found.answers.confidences[wrong])][:_MISTAKES]
    read = found.answers.logits.argmax(axis=1)
    pictures = [
        f'<figure><img alt="a {found.test.labels[index]}" src="{_png(found.test.images[index])}"><figcaption>'
        f"{found.test.labels[index]} read as {read[index]}<br>{found.answers.confidences[index]:.1%} sure</figcaption>"
        "</figure>"
        for index in worst
    ]
    return f'<p>{len(wrong):,} mistakes, the surest first.</p><div class="pictures">{"".join(pictures)}</div>'


def _calibration(calibration: dict[str, Any]) -> str:
    figure = Figure((4, 4), layout="constrained")
    axes = figure.subplots()
    confidences, accuracies = (
        [b[name] for b in calibration["bins"]] for name in ("confidence", "accuracy")
    )
    axes.plot([0, 1], [0, 1], "--", color="gray")
    axes.plot(confidences, accuracies, "o-")
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
    rows = [
        [f"{b['confidence']:.3f}", f"{b['accuracy']:.3f}", f"{b['count']:,}"]
        for b in calibration["bins"]
    ]
    error = f"<p>Expected calibration error {calibration['error']:.4f}.</p>"
    return (
        error
        + _svg(figure, "reliability diagram")
        + _table(["Confidence", "Accuracy", "Answers"], rows)
    )


def _rejection(found: Study) -> str:
    rejection = found.figures["rejection"]
    figure = Figure((6, 4), layout="constrained")
    axes = figure.subplots()
    for name, scores in found.scores.items():
        axes.plot(*_roc(found.answers.scores, scores), label=name)
    axes.set(
        xscale="log",
        xlim=(1e-4, 1),
        ylim=(0.9, 1.001),
        xlabel="others taken for digits",
        ylabel="digits kept",
    )
    axes.legend()
    rows = [
        [
            escape(name),
            f"{it['rejected']['of']:,}",
            f"{it['rejected']['share']:.4f}",
            _interval(it["rejected"]),
            f"{it['auroc']:.4f}",
            f"{it['fpr_at_95_tpr']:.4f}",
        ]
        for name, it in rejection["sets"].items()
    ]
    head = ["Set", "Pictures", "Rejected", "95 % interval", "AUROC", "FPR at 95 % TPR"]
    kept = rejection["kept"]
    return (
        f"<p>At the threshold, a score of {rejection['threshold']:.3f}, {kept['share']:.4f} of the digits are kept "
        f"({_interval(kept)}).</p>{_table(head, rows)}{_svg(figure, 'receiver operating characteristic')}"
    )


def _roc(
    digits: np.ndarray[Any, Any], others: np.ndarray[Any, Any]
) -> tuple[list[float], list[float]]:
    """Shares of others and of digits at or above each score that a picture has."""
    levels = np.unique(np.concatenate([digits, others]))
    levels = levels[levels > REFUSED]
    shares = (
        1 - np.searchsorted(np.sort(scores), levels, "left") / len(scores)
        for scores in (others, digits)
    )
    false, true = (share.tolist() for share in shares)
    return false, true


def _pictures(pictures: dict[str, Any]) -> str:
    rows = [
        [name, f"{it['right']:.3f}", f"{it['accepted']:.3f}"]
        for name, it in pictures["kinds"].items()
    ]
    rows.append(
        ["<b>mean</b>", f"{pictures['right']:.3f}", f"{pictures['accepted']:.3f}"]
    )
    note = f"<p>{pictures['digits']:,} digits of the test split, each rendered in each way.</p>"
    return note + _table(["Kind", "Right", "Right, and taken for a digit"], rows)


def _corruptions(corruptions: dict[str, Any]) -> str:
    rows = [
        [
            name,
            *(f"{accuracy:.3f}" for accuracy in accuracies),
            f"{np.mean(accuracies):.3f}",
        ]
        for name, accuracies in corruptions["accuracy"].items()
    ]
    note = (
        f"<p>Mean accuracy {corruptions['mean']:.3f}, over {corruptions['digits']:,} digits for each corruption and "
        "severity, in the manner of MNIST-C (Mu and Gilmer, 2019).</p>"
    )
    return note + _table(["Corruption", *SEVERITIES, "mean"], rows)


def _exports(exports: dict[str, Any]) -> str:
    rows = [
        [name, f"{it['bytes'] / 1000:,.0f}", f"{it['milliseconds']:.4f}"]
        for name, it in exports.items()
    ]
    return _table(["Export", "kB", "ms an invocation, where it was trained"], rows)


def _comparisons(comparisons: dict[str, Any]) -> str:
    if not comparisons:
        return "<p>There was no other model to compare with.</p>"
    rows = [
        [
            f"{escape(name)}, {escape(it['version'])}",
            f"{it['accuracy']['share']:.4f}",
            it["only_this"],
            it["only_that"],
            f"{it['p']:.3g}",
        ]
        for name, it in comparisons.items()
    ]
    return _table(
        [
            "With",
            "Its accuracy",
            "Only this one right",
            "Only that one right",
            "McNemar's p",
        ],
        rows,
    )


def _interval(share: dict[str, float]) -> str:
    return f"{share['low']:.4f} to {share['high']:.4f}"


def _table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Cells are HTML."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    lines = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    return (
        f"<table><tr>{top}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
    )


def _svg(figure: Figure, description: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return f'<img class="plot" alt="{description}" src="{_data_url("image/svg+xml", buffer.getvalue())}">'


def _png(image: np.ndarray[Any, Any]) -> str:
    return _data_url("image/png", encode_png(Image.fromarray(image)))


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 0; color: #222; background: #fff }
main { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
section { overflow-x: auto }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .15rem .6rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, 6.5rem) }
figure { margin: 0 0 1rem }
figure img { width: 5.5rem; image-rendering: pixelated }
figcaption { font-size: .75rem }
.plot { max-width: 100% }
"""
