"""The figures that describe a model: the content of `metrics.json`.

`digits.documents.parse_document(data, Figures, name)` reads the file back. All shares, accuracies
and confidences are between 0 and 1.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """A share of `of` things, and its 95 % confidence interval."""

    share: float
    low: float
    high: float
    of: int

    @property
    def interval(self) -> str:
        """The confidence interval, such as `0.9957 to 0.9979`."""
        return f"{self.low:.4f} to {self.high:.4f}"

    def __str__(self) -> str:
        return f"{self.share:.4f} ({self.interval})"


@dataclass(frozen=True)
class Bin:
    """Predictions of similar confidence: how many, their mean confidence and their accuracy."""

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """The expected calibration error, and the bins of the reliability diagram."""

    error: float
    bins: list[Bin]


@dataclass(frozen=True)
class NonDigitRejection:
    """How well a model tells one set of non-digits from the test digits."""

    rejected: Share
    auroc: float
    fpr_at_95_tpr: float


@dataclass(frozen=True)
class Rejection:
    """How a model separates digits from non-digits.

    Attributes:
        threshold: the lowest score that is accepted as a digit's.
        kept: the share of the test digits that are accepted.
        sets: by set of non-digits.
    """

    threshold: float
    kept: Share
    sets: dict[str, NonDigitRejection]


@dataclass(frozen=True)
class Robustness:
    """Accuracy on corrupted digits.

    Attributes:
        digits: how many digits were corrupted per corruption and severity.
        mean: the mean of the corruptions' mean accuracies.
        accuracy: by corruption, in the order of the severities.
    """

    digits: int
    mean: float
    accuracy: dict[str, list[float]]


@dataclass(frozen=True)
class Rendering:
    """The share of digits that are right, and the share that are right and accepted."""

    right: float
    accepted: float


@dataclass(frozen=True)
class Renderings:
    """Accuracy on rendered digits: drawings, scans and photographs, as clients send them.

    Attributes:
        digits: how many digits were rendered per kind.
        right: the mean over the kinds.
        accepted: the mean over the kinds.
        kinds: by kind of picture.
    """

    digits: int
    right: float
    accepted: float
    kinds: dict[str, Rendering]


@dataclass(frozen=True)
class Export:
    """An exported model's size in bytes, and the median time of one prediction."""

    bytes: int
    milliseconds: float


@dataclass(frozen=True)
class Comparison:
    """McNemar's test of a model against a baseline, on the test split.

    Attributes:
        version: the baseline's.
        accuracy: the baseline's.
        only_this: examples that only the model reads right.
        only_that: examples that only the baseline reads right.
        p: the two-sided p-value.
    """

    version: str
    accuracy: Share
    only_this: int
    only_that: int
    p: float


@dataclass(frozen=True)
class Figures:
    """All figures of a model.

    Attributes:
        version: the model's.
        accuracy: on the test split.
        loss: mean cross-entropy on the test split, in nats.
        digits: accuracy by digit, of the digits that occur in the test split.
        confusion: examples by true digit (row) and predicted digit (column).
        calibration: on the test split.
        rejection: of digits and of non-digits.
        corruptions: accuracy on corrupted digits.
        pictures: accuracy on rendered digits.
        exports: by export, such as `int8`.
        comparisons: by baseline.
    """

    version: str
    accuracy: Share
    loss: float
    digits: dict[str, Share]
    confusion: list[list[int]]
    calibration: Calibration
    rejection: Rejection
    corruptions: Robustness
    pictures: Renderings
    exports: dict[str, Export]
    comparisons: dict[str, Comparison]
