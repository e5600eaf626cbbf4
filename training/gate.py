"""Whether a new model may answer in place of the live one.

It may unless it is worse, beyond what chance explains, in accuracy, in calibration or in rejection, on the same
pictures; and it must read the ten golden examples.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from digits.images import read_digit
from digits.store import Store
from training import negatives, rivals, sent
from training.evaluate import litert_answers
from training.input import Examples
from training.metrics import expected_calibration_error, worse
from training.sent import Found

GOLDEN = Path(__file__).parents[1] / "example"
# Of each family.
_NEGATIVES = 250
_RESAMPLES = 300


@dataclass(frozen=True)
class Trial:
    """What a model made of the pictures that all are tried on.

    Attributes:
        right: (n,) which test digits it read right.
        confidences: (n,) how sure it was.
        kept: (n,) which it took for digits.
        rejected: (m,) which negatives it did not.
    """

    right: npt.NDArray[np.bool_]
    confidences: npt.NDArray[np.float64]
    kept: npt.NDArray[np.bool_]
    rejected: npt.NDArray[np.bool_]


def objections(store: Store, model: bytes, threshold: float, test: Examples) -> list[str]:
    """Why a model should not be released; none, if it may be.

    Args:
        store: has the live model.
        model: the candidate's `model.tflite`.
        threshold: the lowest score that it takes for a digit's.
        test: the digits to compare on.
    """
    missed = misread_examples(model, threshold)
    found = [f"it does not read the examples of {', '.join(map(str, missed))}"] if missed else []
    live = rivals.live(store)
    if live is None:
        return found
    others = _others()
    return found + compare(try_on(live.model, live.threshold, test, others), try_on(model, threshold, test, others))


def misread_examples(model: bytes, threshold: float) -> list[int]:
    """The golden examples that a model reads as something else, or takes for no digits."""
    images = np.stack([read_digit((GOLDEN / f"{digit}.png").read_bytes()) for digit in range(10)])
    answers = litert_answers(model, images)
    read = answers.right(np.arange(10)) & (answers.scores >= threshold)
    return [int(digit) for digit in np.flatnonzero(~read)]


def try_on(model: bytes, threshold: float, test: Examples, others: list[Found]) -> Trial:
    """Show a model the test digits, and `others` that are none."""
    answers = litert_answers(model, test.images)
    return Trial(
        right=answers.right(test.labels),
        confidences=answers.confidences,
        kept=answers.scores >= threshold,
        rejected=sent.answers(model, others).scores < threshold,
    )


def compare(live: Trial, candidate: Trial) -> list[str]:
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
    return found + (["it is less well calibrated than the live model"] if _less_calibrated(live, candidate) else [])


def _less_calibrated(live: Trial, candidate: Trial) -> bool:
    """By the paired bootstrap of the calibration error (Efron and Tibshirani, 1993), which is no mean."""
    rng = np.random.default_rng(0)
    differences = []
    for _ in range(_RESAMPLES):
        drawn = rng.integers(len(live.right), size=len(live.right))
        errors = [expected_calibration_error(t.confidences[drawn], t.right[drawn]) for t in (candidate, live)]
        differences.append(errors[0] - errors[1])
    return bool(np.quantile(differences, 0.025) > 0)


def _others() -> list[Found]:
    """Pictures of no digits that no network has learnt from, as networks see them."""
    return [found for family in negatives.REPORTED for found in sent.read(sent.others(family, _NEGATIVES))]
