"""How long each phase of a training is expected to take, before there is a measure.

Each phase takes some seconds whatever the data are, and more per example, step or image.
The rates were measured on two cores of a server without a GPU. The rates need to be right
within a factor of 3 or so: once the network is fitted step by step,
`training.fitting.phases` goes by the steps.
"""

from collections.abc import Mapping

from digits.architectures import ARCHITECTURES
from digits.datasets.tfds import Split
from digits.jobs import Phase
from digits.parameters import Parameters
from training.evaluation import sample_sizes

# All in seconds. Importing TensorFlow, and reading and parsing an example.
_IMPORT = 3.0
_FETCHED = 1e-5
# Splitting off the validation examples, per example; and rendering, damaging or drawing
# an image that the recipe adds.
_SPLIT = 1e-5
_ADDED = 8e-3
# The first epoch builds the graphs of the training and of the validation. Each epoch is
# kept and validated.
_GRAPHS = 4.0
_EPOCH = 0.05
_FITTED = 6e-4
# Two conversions, and the answers of three networks per test digit.
_CONVERSIONS = 3.0
_EXPORTED = 3e-4
# A digit corrupted in each way and severity, a digit rendered in each way, a non-digit
# of each family: drawn, found and answered.
_REPORT = 0.5
_CORRUPTED, _RENDERED, _NEGATIVES = 0.1, 0.17, 0.02
_ANSWERED = 4e-4
_PUBLISHED = 1.0


def expected_seconds(
    counts: Mapping[Split, int], parameters: Parameters, *, report: bool = True
) -> dict[Phase, float]:
    """How long each phase is expected to take, in seconds.

    Args:
        counts: examples per split.
        parameters: what the training is asked to do.
        report: whether the model is exported and reported on.
    """
    examples, test = counts["train"], counts["test"]
    shown = ARCHITECTURES[parameters.architecture].examples_shown * examples
    expected: dict[Phase, float] = {
        "fetching": _IMPORT + _FETCHED * (examples + test),
        "preparing": _SPLIT * examples + _ADDED * (shown - examples),
        "fitting": _GRAPHS + parameters.epochs * (_EPOCH + _FITTED * shown),
        "evaluating": _ANSWERED * test,
        "publishing": _PUBLISHED,
    }
    if report:
        expected["exporting"] = _CONVERSIONS + _EXPORTED * test
        expected["evaluating"] += _REPORT + _study_seconds(test)
    return expected


def _study_seconds(test: int) -> float:
    """What the gate and the report take for images beside the test split."""
    digits = sample_sizes.digits_per_condition(test)
    non_digits = sample_sizes.non_digits_per_family(digits)
    return digits * (_CORRUPTED + _RENDERED) + non_digits * _NEGATIVES
