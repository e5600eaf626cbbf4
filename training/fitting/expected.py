"""How long a training is expected to take, phase by phase, before there is anything to extrapolate from.

Each phase takes some seconds whatever it works on, and more for each example, step or
picture. The rates were measured on two cores of a server without a GPU; they need to be
right within a factor of 3 or so. Once the network is fitted step by step,
`training.fitting.progress` goes by the steps.
"""

from collections.abc import Mapping

from digits.datasets.tfds import Split
from digits.jobs import Phase
from digits.parameters import Parameters
from training.evaluation import samples

# TensorFlow's import, and then reading and parsing.
_IMPORT = 3.0
_FETCHED = 1e-5
# Digits are rendered and damaged, and non-digits drawn, for `lite`. It is shown half as
# many again as there are.
_PREPARED = {"lab": 1e-5, "lite": 4e-3}
_SHOWN = {"lab": 1.0, "lite": 1.5}
# The graphs of the training and of the validation are built in the first epoch, and
# each epoch is kept and validated.
_GRAPHS = 4.0
_EPOCH = 0.05
_FITTED = 6e-4
# Two conversions, and the answers of three networks to each test digit.
_CONVERSIONS = 3.0
_EXPORTED = 3e-4
# A digit corrupted in each way and severity, a digit rendered in each way, a non-digit
# of each family: drawn, found and answered.
_REPORT = 0.5
_CORRUPTED, _RENDERED, _NEGATIVES = 0.12, 0.17, 0.02
_ANSWERED = 4e-4
_PUBLISHED = 1.0


def seconds(
    counts: Mapping[Split, int], parameters: Parameters, *, report: bool = True
) -> dict[Phase, float]:
    """How long each phase is expected to take.

    Args:
        counts: how many examples each split has.
        parameters: what the training is asked to do.
        report: whether there is a report on the model, and so an export of it.
    """
    architecture, shown = (
        parameters.architecture,
        _SHOWN[parameters.architecture] * counts["train"],
    )
    expected: dict[Phase, float] = {
        "fetching": _IMPORT + _FETCHED * sum(counts.values()),
        "preparing": _PREPARED[architecture] * counts["train"],
        "fitting": _GRAPHS + parameters.epochs * (_EPOCH + _FITTED * shown),
        "evaluating": _ANSWERED * counts["test"],
        "publishing": _PUBLISHED,
    }
    if report:
        expected["exporting"] = _CONVERSIONS + _EXPORTED * counts["test"]
        expected["evaluating"] += _REPORT + _pictures(counts["test"])
    return expected


def _pictures(test: int) -> float:
    """What the gate and the report try a model on, besides the test split."""
    digits = samples.digits(test)
    return digits * (_CORRUPTED + _RENDERED) + samples.negatives(digits) * _NEGATIVES
