"""The release gate: whether a new model may answer in place of the live model.

A new model may, unless it misreads one of the ten example images, or its accuracy,
its calibration or its rejection is worse than the live model's on the same pictures,
beyond what chance explains.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy

from digits.arrays import Floats, Integers, Mask
from digits.imaging.normalise import read_digit
from digits.store import Store
from training.evaluation import baselines
from training.evaluation.evaluation_set import (
    EvaluationSet,
    SetPredictions,
    predict_evaluation_set,
)
from training.evaluation.metrics import expected_calibration_error, is_lower
from training.evaluation.predictions import ExportedModel, litert_predictions

EXAMPLES = Path(__file__).parents[2] / "example"
# At most.
_NON_DIGITS_PER_FAMILY = 250
_RESAMPLES = 300


@dataclass(frozen=True)
class PairedResults:
    """A model's result for each picture. The pictures are the same for every model.

    Attributes:
        correct: (n,) whether a test digit is read right.
        confidences: (n,) the confidence in that prediction.
        accepted: (n,) whether a test digit is accepted as a digit.
        rejected: (m,) whether a non-digit is rejected.
    """

    correct: Mask
    confidences: Floats
    accepted: Mask
    rejected: Mask

    @property
    def calibration_error(self) -> float:
        """The expected calibration error."""
        return expected_calibration_error(self.confidences, self.correct)


def find_release_blockers(
    store: Store,
    candidate: ExportedModel,
    evaluation_set: EvaluationSet,
    predictions: SetPredictions,
) -> list[str]:
    """The reasons against releasing a model; empty if the model may be released.

    Args:
        store: has the live model.
        candidate: the new model.
        evaluation_set: what the live model is evaluated on.
        predictions: the candidate's, for the evaluation set.

    Raises:
        StoreError: the store does not answer.
    """
    blockers = []
    misread = find_misread_examples(candidate)
    if misread:
        digits = ", ".join(map(str, misread))
        blockers.append(f"the model misreads the example images of {digits}")
    try:
        live = baselines.load_live(store)
    except baselines.UNREADABLE as error:
        # Nobody may know how good the live model was, so a person decides.
        reason = error.detail.rstrip(".")
        blockers.append(f"there is no comparison with the live model: {reason}")
        return blockers
    live_predictions = predict_evaluation_set(live.tflite, evaluation_set)
    labels = evaluation_set.test.labels
    live_results = pair_results(live_predictions, live.threshold, labels)
    results = pair_results(predictions, candidate.threshold, labels)
    return blockers + find_regressions(live_results, results)


def find_misread_examples(model: ExportedModel) -> list[int]:
    """The digits whose example image is read as another digit, or rejected."""
    digits = np.arange(10)
    images = [read_digit((EXAMPLES / f"{digit}.png").read_bytes()) for digit in digits]
    predictions = litert_predictions(model.tflite, np.stack(images))
    is_accepted = predictions.scores >= model.threshold
    is_read = predictions.correct(digits) & is_accepted
    misread: list[int] = digits[~is_read].tolist()
    return misread


def pair_results(
    predictions: SetPredictions, threshold: float, labels: Integers
) -> PairedResults:
    """The results of a model that accepts scores from a threshold on.

    Args:
        predictions: the model's, for the evaluation set.
        threshold: the lowest score that is accepted as a digit's.
        labels: (n,) of the test split.
    """
    families = predictions.non_digit_scores.values()
    scores = np.concatenate([family[:_NON_DIGITS_PER_FAMILY] for family in families])
    return PairedResults(
        correct=predictions.test.correct(labels),
        confidences=predictions.test.confidences,
        accepted=predictions.test.scores >= threshold,
        rejected=scores < threshold,
    )


def find_regressions(live: PairedResults, candidate: PairedResults) -> list[str]:
    """What is worse in a candidate than in the live model, beyond the 95 % confidence interval."""
    shares = {
        "accuracy": (candidate.correct, live.correct),
        "the share of digits accepted": (candidate.accepted, live.accepted),
        "the share of non-digits rejected": (candidate.rejected, live.rejected),
    }
    regressions = []
    for name, (new, old) in shares.items():
        if is_lower(new, old):
            regressions.append(
                f"{name} is {new.mean():.4f}, lower than the live model's {old.mean():.4f}"
            )
    if _is_less_calibrated(live, candidate):
        regressions.append(
            f"the calibration error is {candidate.calibration_error:.4f},"
            f" higher than the live model's {live.calibration_error:.4f}"
        )
    return regressions


def _is_less_calibrated(live: PairedResults, candidate: PairedResults) -> bool:
    """Compare the calibration errors by the paired bootstrap (Efron and Tibshirani, 1993)."""

    def difference(
        correct: Mask, confidences: Floats, live_correct: Mask, live_confidences: Floats
    ) -> float:
        error = expected_calibration_error(confidences, correct)
        return error - expected_calibration_error(live_confidences, live_correct)

    bootstrap = scipy.stats.bootstrap(
        (candidate.correct, candidate.confidences, live.correct, live.confidences),
        difference,
        n_resamples=_RESAMPLES,
        paired=True,
        vectorized=False,
        confidence_level=0.95,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return bool(bootstrap.confidence_interval.low > 0)
