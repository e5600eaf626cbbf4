"""The report on a model: one HTML file without links, and the same figures as JSON."""

import base64
import io
import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure
from PIL import Image

from digits.arrays import Floats
from digits.models.manifests import METRICS_FILE, REPORT_FILE, Manifest
from digits.store import Store
from training.evaluation import sample_sizes
from training.evaluation.baselines import load_baselines
from training.evaluation.evaluation_set import EvaluationSet, SetPredictions
from training.evaluation.figures import Bin
from training.evaluation.predictions import REFUSED
from training.evaluation.study import Study, measure_model
from training.packaging.package import Package
from training.pictures.corruptions import MAX_SEVERITY
from training.pictures.serving import encode_png

_MISTAKES_SHOWN = 30
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Mistake:
    """A test digit that the model reads wrong, and its picture as a data URL."""

    label: int
    prediction: int
    confidence: float
    picture: str


def study_package(
    store: Store,
    manifest: Manifest,
    package: Package,
    evaluation_set: EvaluationSet,
    predictions: SetPredictions,
) -> Study:
    """Measure a package, and compare it with the baselines in a store."""
    return measure_model(
        package.exported_model(manifest.version),
        evaluation_set,
        predictions,
        exports=package.exports,
        baselines=load_baselines(store, manifest),
    )


def make_report(manifest: Manifest, study: Study) -> dict[str, bytes]:
    """The report's files, by name. The same figures give the same bytes."""
    metrics = json.dumps(asdict(study.figures), indent=1)
    return {
        METRICS_FILE: metrics.encode(),
        REPORT_FILE: _render_page(manifest, study).encode(),
    }


def _render_page(manifest: Manifest, study: Study) -> str:
    mistakes = _find_mistakes(study)
    shown = [_show_mistake(study, index) for index in mistakes[:_MISTAKES_SHOWN]]
    return _TEMPLATES.get_template("report.html").render(
        manifest=manifest,
        figures=study.figures,
        test_examples=len(study.test),
        full_study=sample_sizes.FULL_STUDY,
        full_digits=sample_sizes.digits_per_condition(sample_sizes.FULL_STUDY),
        max_severity=MAX_SEVERITY,
        mistakes=shown,
        mistakes_total=len(mistakes),
        reliability_diagram=_plot_reliability(study.figures.calibration.bins),
        roc_curves=_plot_roc_curves(study.predictions),
    )


def _find_mistakes(study: Study) -> list[int]:
    """The test digits that the model reads wrong, the most confident mistake first."""
    predictions = study.predictions.test
    wrong = np.flatnonzero(~predictions.correct(study.test.labels))
    order = np.argsort(-predictions.confidences[wrong])
    mistakes: list[int] = wrong[order].tolist()
    return mistakes


def _show_mistake(study: Study, index: int) -> Mistake:
    predictions = study.predictions.test
    picture = encode_png(Image.fromarray(study.test.images[index]))
    return Mistake(
        label=int(study.test.labels[index]),
        prediction=int(predictions.digits[index]),
        confidence=float(predictions.confidences[index]),
        picture=_data_url("image/png", picture),
    )


def _plot_reliability(bins: list[Bin]) -> str:
    """The reliability diagram, as a data URL."""
    with _plot_style():
        figure = Figure((4, 4), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], "--", color="gray")
        confidences = [group.confidence for group in bins]
        accuracies = [group.accuracy for group in bins]
        axes.plot(confidences, accuracies, "o-")
        axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
        return _svg_url(figure)


def _plot_roc_curves(predictions: SetPredictions) -> str:
    """A receiver operating characteristic per set of non-digits, as a data URL."""
    with _plot_style():
        figure = Figure((6, 4), layout="constrained")
        axes = figure.subplots()
        digit_scores = predictions.test.scores
        for name, scores in predictions.non_digit_scores.items():
            thresholds = np.unique(np.concatenate([digit_scores, scores]))
            thresholds = thresholds[thresholds > REFUSED]
            false_positives = _share_accepted(scores, thresholds)
            true_positives = _share_accepted(digit_scores, thresholds)
            axes.plot(false_positives, true_positives, label=name)
        axes.set(xscale="log", xlim=(1e-4, 1), ylim=(0.9, 1.001))
        axes.set(
            xlabel="share of non-digits accepted", ylabel="share of digits accepted"
        )
        axes.legend()
        return _svg_url(figure)


def _share_accepted(scores: Floats, thresholds: Floats) -> Floats:
    """The share of scores at or above each threshold."""
    below = np.searchsorted(np.sort(scores), thresholds, "left")
    accepted: Floats = 1 - below / len(scores)
    return accepted


def _plot_style() -> AbstractContextManager[None]:
    # With a fixed salt, equal plots are equal bytes.
    return mpl.rc_context({"svg.hashsalt": "digits", "font.size": 9})


def _svg_url(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _data_url("image/svg+xml", buffer.getvalue())


def _data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
