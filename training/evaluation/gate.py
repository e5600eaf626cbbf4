"""Whether a new model may answer in place of the live one.

It may unless it is worse, beyond what chance explains, in accuracy, in calibration or
in rejection, on the same pictures; and it must read the ten golden examples.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digits.arrays import Floats, Mask
from digits.imaging.normalise import read_digit
from digits.store import Store
from training.evaluation import baselines
from training.evaluation.answers import litert_answers
from training.evaluation.metrics import expected_calibration_error, worse
from training.evaluation.trial import Pictures, Trial, try_on
from training.input import Examples

GOLDEN = Path(__file__).parents[2] / "example"
# Of each family, at most.
_NEGATIVES = 250
_RESAMPLES = 300


@dataclass(frozen=True)
class Marks:
    """How a model did on the pictures that all are tried on.

    Attributes:
        right: (n,) which test digits it read right.
        confidences: (n,) how sure it was.
        kept: (n,) which it took for digits.
        rejected: (m,) which non-digits it did not.
    """

    right: Mask
    confidences: Floats
    kept: Mask
    rejected: Mask


def objections(
    store: Store, model: bytes, threshold: float, pictures: Pictures, trial: Trial
) -> list[str]:
    """Why a model should not be released; none, if it may be.

    Args:
        store: has the live model.
        model: the candidate's `model.tflite`.
        threshold: the lowest score that it takes for a digit's.
        pictures: what to try the live model on.
        trial: what the candidate made of them.

    Raises:
        StoreError: the store does not answer.
    """
    missed = misread_examples(model, threshold)
    found = (
        [f"it does not read the examples of {', '.join(map(str, missed))}"]
        if missed
        else []
    )
    try:
        live = baselines.live(store)
    except baselines.UNREADABLE as error:
        # Nobody may know what it was worth, so a person decides.
        return [
            *found,
            f"the live model cannot be read, so they cannot be compared ({error.detail.rstrip('.')})",
        ]
    theirs = mark(try_on(live.model, pictures), live.threshold, pictures.test)
    return found + compare(theirs, mark(trial, threshold, pictures.test))


def misread_examples(model: bytes, threshold: float) -> list[int]:
    """The golden examples that a model reads as something else, or takes for no digits."""
    images = np.stack(
        [read_digit((GOLDEN / f"{digit}.png").read_bytes()) for digit in range(10)]
    )
    answers = litert_answers(model, images)
    read = answers.right(np.arange(10)) & (answers.scores >= threshold)
    return [int(digit) for digit in np.flatnonzero(~read)]


def mark(trial: Trial, threshold: float, test: Examples) -> Marks:
    """How a model did that takes what reaches the threshold for digits."""
    return Marks(
        right=trial.answers.right(test.labels),
        confidences=trial.answers.confidences,
        kept=trial.answers.scores >= threshold,
        rejected=np.concatenate(
            [scores[:_NEGATIVES] < threshold for scores in trial.scores.values()]
        ),
    )


def compare(live: Marks, candidate: Marks) -> list[str]:
    """In what a candidate is worse than the live model, beyond the 95 % confidence interval."""
    shares = {
        "reads fewer digits right": (live.right, candidate.right),
        "takes fewer digits for digits": (live.kept, candidate.kept),
        "rejects fewer other pictures": (live.rejected, candidate.rejected),
    }
    found = [
        f"it {what} than the live model, {new.mean():.4f} against {old.mean():.4f}"
        for what, (old, new) in shares.items()
        if worse(old, new)
    ]
    return found + (
        ["it is less well calibrated than the live model"]
        if _less_calibrated(live, candidate)
        else []
    )


def _less_calibrated(live: Marks, candidate: Marks) -> bool:
    """By the paired bootstrap of the calibration error (Efron and Tibshirani, 1993), which is no mean."""
    rng = np.random.default_rng(0)
    differences = []
    for _ in range(_RESAMPLES):
        drawn = rng.integers(len(live.right), size=len(live.right))
        errors = [
            expected_calibration_error(t.confidences[drawn], t.right[drawn])
            for t in (candidate, live)
        ]
        differences.append(errors[0] - errors[1])
    return bool(np.quantile(differences, 0.025) > 0)
