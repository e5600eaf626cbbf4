"""`digits predict`: the prediction for a file."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from digits.arrays import Pixels
from digits.errors import DigitsError, NotADigitError
from digits.imaging.normalise import read_digit
from digits.imaging.png import MAX_BYTES
from digits.models.classifier import Classifier
from local.wording import for_shell, system_reason


@dataclass(frozen=True)
class FilePrediction:
    """The prediction for a file.

    Attributes:
        path: of the file.
        prediction: the digit, or the closest digit; None without any.
        confidence: the probability of the digit; None without any.
        problem: why the picture is rejected; None if the picture is accepted.
    """

    path: str
    prediction: int | None = None
    confidence: float | None = None
    problem: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether the picture shows a digit."""
        return self.problem is None

    def to_json(self) -> dict[str, Any]:
        """The prediction as a JSON object."""
        return {**asdict(self), "accepted": self.accepted}

    def to_line(self) -> str:
        """The prediction as a line for a person."""
        name = typer.format_filename(self.path)  # The path may not be valid UTF-8.
        if self.prediction is None:
            return f"{name}: {self.problem}"
        best = f"{self.prediction} ({self.confidence:.1%})"
        if self.accepted:
            return f"{name}: {best}"
        return f"{name}: {self.problem} The closest digit is {best}."


def predict_file(classifier: Classifier, path: Path) -> FilePrediction:
    """Predict the digit in a file. An error becomes the problem of the prediction."""
    try:
        digit, problem = _find_digit(path)
    except DigitsError as error:
        return FilePrediction(str(path), problem=for_shell(error.detail))
    except OSError as error:
        return FilePrediction(str(path), problem=f"{system_reason(error)}.")
    answer = classifier.classify(digit)
    if answer.score < classifier.threshold:
        problem = "This picture does not look like a digit."
    return FilePrediction(str(path), answer.digit, answer.confidence, problem)


def _find_digit(path: Path) -> tuple[Pixels, str | None]:
    """The picture of a digit, or the best guess with the reason to reject it."""
    with path.open("rb") as file:
        # Ends in an endless file too, and one byte more than the limit is refused.
        data = file.read(MAX_BYTES + 1)
    try:
        return read_digit(data), None
    except NotADigitError as error:
        if error.guess is None:
            raise
        return error.guess, for_shell(error.detail)
