"""Measures a model: the figures of `metrics.json`, and the predictions that the report plots."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from digits.arrays import Floats, Mask, Pixels
from digits.digit import SIDE
from digits.models.litert import LiteRT
from training.evaluation.evaluation_set import EvaluationSet, SetPredictions
from training.evaluation.figures import (
    Calibration,
    Comparison,
    Export,
    Figures,
    NonDigitRejection,
    Rejection,
    Rendering,
    Renderings,
    Robustness,
    Share,
)
from training.evaluation.metrics import (
    auroc,
    expected_calibration_error,
    fpr_at_95_tpr,
    mcnemar,
    reliability,
    true_share,
)
from training.evaluation.predictions import (
    ExportedModel,
    Predictions,
    evaluate,
    litert_predictions,
    serving_predictions,
)
from training.input import Examples
from training.pictures import serving, variants
from training.pictures.corruptions import CORRUPTIONS, corrupt, severities
from training.pictures.serving import Preprocessed

_TIMED_PREDICTIONS = 300

# Changes a (28, 28) uint8 digit at random, and preprocesses the picture.
Change = Callable[[Pixels, np.random.Generator], Preprocessed]


@dataclass(frozen=True)
class Study:
    """A model's figures, and the predictions that they are made of.

    Attributes:
        figures: the content of `metrics.json`.
        test: the test split.
        predictions: for the evaluation set.
    """

    figures: Figures
    test: Examples
    predictions: SetPredictions


def measure_model(
    model: ExportedModel,
    evaluation_set: EvaluationSet,
    predictions: SetPredictions,
    *,
    exports: Mapping[str, bytes],
    baselines: Mapping[str, ExportedModel],
) -> Study:
    """Measure a model.

    Args:
        model: the model.
        evaluation_set: what the model is measured on.
        predictions: the model's, for the evaluation set.
        exports: the network's exports by name, to weigh and to time.
        baselines: the models to compare with, by name.
    """
    test = evaluation_set.test
    evaluation = evaluate(predictions.test.logits, test.labels)
    correct = predictions.test.correct(test.labels)
    figures = Figures(
        version=model.version,
        accuracy=true_share(correct),
        loss=evaluation.loss,
        digits=_measure_digits(correct, test),
        confusion=evaluation.confusion.tolist(),
        calibration=_measure_calibration(predictions.test, correct),
        rejection=_measure_rejection(predictions, model.threshold),
        corruptions=_measure_robustness(model, evaluation_set),
        pictures=_measure_renderings(model, evaluation_set),
        exports=_measure_exports(exports),
        comparisons=_compare(correct, test, baselines),
    )
    return Study(figures, test, predictions)


def _measure_digits(correct: Mask, test: Examples) -> dict[str, Share]:
    shares = {}
    for digit in np.unique(test.labels):
        shares[str(digit)] = true_share(correct[test.labels == digit])
    return shares


def _measure_calibration(predictions: Predictions, correct: Mask) -> Calibration:
    confidences = predictions.confidences
    return Calibration(
        error=expected_calibration_error(confidences, correct),
        bins=reliability(confidences, correct),
    )


def _measure_rejection(predictions: SetPredictions, threshold: float) -> Rejection:
    digit_scores = predictions.test.scores
    sets = {}
    for name, scores in predictions.non_digit_scores.items():
        sets[name] = NonDigitRejection(
            rejected=true_share(scores < threshold),
            auroc=auroc(digit_scores, scores),
            fpr_at_95_tpr=fpr_at_95_tpr(digit_scores, scores),
        )
    return Rejection(threshold, kept=true_share(digit_scores >= threshold), sets=sets)


def _measure_robustness(
    model: ExportedModel, evaluation_set: EvaluationSet
) -> Robustness:
    accuracy: dict[str, list[float]] = {}
    for number, corruption in enumerate(CORRUPTIONS):
        accuracy[corruption] = []
        for severity in severities(corruption):
            change = partial(_corrupt, corruption, severity)
            seed = (number, severity)
            results = _predict_changed(model, evaluation_set, change, seed)
            accuracy[corruption].append(float(results.correct.mean()))
    return Robustness(
        digits=evaluation_set.digits_per_condition,
        mean=statistics.fmean(map(statistics.fmean, accuracy.values())),
        accuracy=accuracy,
    )


def _corrupt(
    corruption: str, severity: int, digit: Pixels, rng: np.random.Generator
) -> Preprocessed:
    return serving.preprocess(corrupt(corruption, digit, severity, rng))


def _measure_renderings(
    model: ExportedModel, evaluation_set: EvaluationSet
) -> Renderings:
    kinds = {}
    for number, kind in enumerate(variants.KINDS):
        change = partial(_render, kind)
        # No corruption has this seed.
        seed = (len(CORRUPTIONS), number)
        results = _predict_changed(model, evaluation_set, change, seed)
        is_accepted = results.scores >= model.threshold
        kinds[kind] = Rendering(
            right=float(results.correct.mean()),
            accepted=float((results.correct & is_accepted).mean()),
        )
    return Renderings(
        digits=evaluation_set.digits_per_condition,
        right=statistics.fmean(kind.right for kind in kinds.values()),
        accepted=statistics.fmean(kind.accepted for kind in kinds.values()),
        kinds=kinds,
    )


def _render(kind: str, digit: Pixels, rng: np.random.Generator) -> Preprocessed:
    return serving.preprocess_png(variants.render(kind, digit, rng))


@dataclass(frozen=True)
class _Results:
    """Whether each changed digit is read right, (n,), and its score, (n,)."""

    correct: Mask
    scores: Floats


def _predict_changed(
    model: ExportedModel,
    evaluation_set: EvaluationSet,
    change: Change,
    seed: tuple[int, int],
) -> _Results:
    """Choose digits of the test split at random, change each, and predict."""
    test = evaluation_set.test
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(test))[: evaluation_set.digits_per_condition]
    pictures = []
    for index, digit_rng in zip(chosen, rng.spawn(len(chosen)), strict=True):
        pictures.append(change(test.images[index], digit_rng))
    predictions = serving_predictions(model.tflite, pictures)
    return _Results(predictions.correct(test.labels[chosen]), predictions.scores)


def _measure_exports(exports: Mapping[str, bytes]) -> dict[str, Export]:
    figures = {}
    for name, tflite in exports.items():
        figures[name] = Export(len(tflite), _time_prediction(tflite))
    return figures


def _time_prediction(tflite: bytes) -> float:
    """The median time of one prediction, in milliseconds."""
    litert = LiteRT(tflite)
    image = np.zeros((SIDE, SIDE), np.uint8)
    seconds = []
    for _ in range(_TIMED_PREDICTIONS):
        start = time.perf_counter()
        litert.predict(image)
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds)


def _compare(
    correct: Mask, test: Examples, baselines: Mapping[str, ExportedModel]
) -> dict[str, Comparison]:
    comparisons = {}
    for name, baseline in baselines.items():
        predictions = litert_predictions(baseline.tflite, test.images)
        baseline_correct = predictions.correct(test.labels)
        comparisons[name] = Comparison(
            version=baseline.version,
            accuracy=true_share(baseline_correct),
            only_this=np.count_nonzero(correct & ~baseline_correct),
            only_that=np.count_nonzero(baseline_correct & ~correct),
            p=mcnemar(correct, baseline_correct),
        )
    return comparisons
