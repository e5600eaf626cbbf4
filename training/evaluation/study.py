"""How good a model is, in figures: what `metrics.json` holds and the report shows."""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from digits.arrays import Floats, Mask, Pixels
from digits.models.litert import LiteRT
from training.evaluation import as_sent
from training.evaluation import samples as sizes
from training.evaluation.answers import Answers, evaluate, litert_answers
from training.evaluation.baselines import Rival
from training.evaluation.metrics import (
    auroc,
    expected_calibration_error,
    fpr_at_95_tpr,
    mcnemar,
    reliability,
    wilson_interval,
)
from training.evaluation.trial import Pictures, Trial, try_on
from training.input import Examples
from training.pictures import serving, variants
from training.pictures.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from training.pictures.serving import Preprocessed

_INVOCATIONS = 300


@dataclass(frozen=True)
class Study:
    """What was found.

    Attributes:
        figures: as `metrics.json` has them.
        test: what was tried on.
        answers: the model's, to the test split.
        scores: by negative set.
    """

    figures: dict[str, Any]
    test: Examples
    answers: Answers
    scores: Mapping[str, Floats]


def samples(test: Examples) -> int:
    """How many digits to damage in each way, and to render in each: less of a small test split, for a short study."""
    return sizes.digits(len(test))


def study(  # noqa: PLR0913  what is told of a model comes from many places
    model: bytes,
    threshold: float,
    test: Examples,
    *,
    count: int,
    exports: Mapping[str, bytes],
    rivals: Mapping[str, Rival],
    others: Mapping[str, Iterable[bytes]],
) -> Study:
    """Measure an exported model, through images.py wherever a picture is not of MNIST's kind already.

    Args:
        model: `model.tflite`.
        threshold: the lowest score that it takes for a digit's.
        test: the test split.
        count: digits for each corruption and severity, and for each kind of picture.
        exports: all exports of the network, to weigh and to time.
        rivals: models to compare with, by a name for each.
        others: PNGs of no digits, by a name for each set, beside the families that every study has.
    """
    drawn = Pictures.draw(test, count)
    pictures = replace(
        drawn,
        others={
            **drawn.others,
            **{
                name: [serving.preprocess_png(png) for png in pngs]
                for name, pngs in others.items()
            },
        },
    )
    return measure(
        model,
        threshold,
        pictures,
        try_on(model, pictures),
        exports=exports,
        rivals=rivals,
    )


def measure(  # noqa: PLR0913  what is told of a model comes from many places
    model: bytes,
    threshold: float,
    pictures: Pictures,
    trial: Trial,
    *,
    exports: Mapping[str, bytes],
    rivals: Mapping[str, Rival],
) -> Study:
    """`study`, of a model that has been tried on the test split and the non-digits."""
    test, count, answers = pictures.test, pictures.digits, trial.answers
    figures = {
        **_reading(answers, test),
        "rejection": {
            "threshold": threshold,
            "kept": _share(answers.scores >= threshold),
            "sets": {
                name: _rejection(answers.scores, found, threshold)
                for name, found in trial.scores.items()
            },
        },
        "corruptions": _robustness(model, test, count),
        "pictures": _pictures(model, threshold, test, count),
        "exports": {
            name: {"bytes": len(data), "milliseconds": _latency(data)}
            for name, data in exports.items()
        },
        "comparisons": {
            name: _comparison(answers, rival, test) for name, rival in rivals.items()
        },
    }
    return Study(figures, test, answers, trial.scores)


def _reading(answers: Answers, test: Examples) -> dict[str, Any]:
    found, right = evaluate(answers.logits, test.labels), answers.right(test.labels)
    return {
        "accuracy": _share(right),
        "loss": found.loss,
        "digits": {
            digit: _share(right[test.labels == digit])
            for digit in found.class_accuracies
        },
        "confusion": found.confusion.tolist(),
        "calibration": {
            "error": expected_calibration_error(answers.confidences, right),
            "bins": [vars(b) for b in reliability(answers.confidences, right)],
        },
    }


def _share(which: Mask) -> dict[str, float]:
    """A share of n things, and its 95 % confidence interval."""
    low, high = wilson_interval(int(which.sum()), len(which))
    return {"share": float(which.mean()), "low": low, "high": high, "of": len(which)}


def _rejection(digits: Floats, others: Floats, threshold: float) -> dict[str, Any]:
    return {
        "rejected": _share(others < threshold),
        "auroc": auroc(digits, others),
        "fpr_at_95_tpr": fpr_at_95_tpr(digits, others),
    }


def _robustness(model: bytes, test: Examples, count: int) -> dict[str, Any]:
    """The share that is read right, by corruption and severity."""
    shares = {
        name: [
            float(
                _try(
                    model,
                    test,
                    count,
                    (number, severity),
                    partial(_find_corrupted, name, severity),
                )[0].mean()
            )
            for severity in SEVERITIES
        ]
        for number, name in enumerate(CORRUPTIONS)
    }
    return {
        "digits": count,
        "mean": statistics.fmean(map(statistics.fmean, shares.values())),
        "accuracy": shares,
    }


def _find_corrupted(
    name: str, severity: int, digit: Pixels, rng: np.random.Generator
) -> Preprocessed:
    return serving.preprocess(corrupt(name, digit, severity, rng))


def _pictures(
    model: bytes, threshold: float, test: Examples, count: int
) -> dict[str, Any]:
    """The share that is read right, and that is read right and taken for digits, by kind of picture."""
    kinds = {}
    for number, kind in enumerate(variants.KINDS):
        right, scores = _try(
            model,
            test,
            count,
            (len(CORRUPTIONS), number),
            partial(_find_rendered, kind),
        )
        kinds[kind] = {
            "right": float(right.mean()),
            "accepted": float((right & (scores >= threshold)).mean()),
        }
    means = {
        name: statistics.fmean(kind[name] for kind in kinds.values())
        for name in ("right", "accepted")
    }
    return {"digits": count, **means, "kinds": kinds}


def _find_rendered(kind: str, digit: Pixels, rng: np.random.Generator) -> Preprocessed:
    return serving.preprocess_png(variants.render(kind, digit, rng))


def _try(
    model: bytes,
    test: Examples,
    count: int,
    seed: tuple[int, ...],
    find: Callable[[Pixels, np.random.Generator], Preprocessed],
) -> tuple[Mask, Floats]:
    """Show a model what is found on changed digits of the test split: which it reads right, and its scores."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(test))[:count]
    found = [
        find(test.images[index], own)
        for index, own in zip(chosen, rng.spawn(len(chosen)), strict=True)
    ]
    answers = as_sent.answers(model, found)
    return answers.right(test.labels[chosen]), answers.scores


def _latency(model: bytes) -> float:
    """The median time of one invocation, in milliseconds."""
    litert = LiteRT(model)
    image = np.zeros((28, 28), np.uint8)
    times = []
    for _ in range(_INVOCATIONS):
        start = time.perf_counter()
        litert.answer(image)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def _comparison(answers: Answers, rival: Rival, test: Examples) -> dict[str, Any]:
    right = answers.right(test.labels)
    theirs = litert_answers(rival.model, test.images).right(test.labels)
    return {
        "version": rival.version,
        "accuracy": _share(theirs),
        "only_this": int((right & ~theirs).sum()),
        "only_that": int((theirs & ~right).sum()),
        "p": mcnemar(right, theirs),
    }
