"""`digits predict`: what a model reads on a picture."""

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
    """What was read on a picture.

    Attributes:
        path: the file.
        prediction: the digit, or what comes closest to one; None where nothing does.
        confidence: its probability.
        problem: why the picture is not taken for one of a digit; None if it is.
    """

    path: str
    prediction: int | None = None
    confidence: float | None = None
    problem: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether the picture is taken for one of a digit."""
        return self.problem is None

    def to_json(self) -> dict[str, Any]:
        """The reading as a JSON object."""
        return {**asdict(self), "accepted": self.accepted}

    def to_line(self) -> str:
        """The reading as a line for a person."""
        name = typer.format_filename(self.path)  # It may not be text.
        if self.prediction is None:
            return f"{name}: {self.problem}"
        best = f"{self.prediction} ({self.confidence:.1%})"
        return (
            f"{name}: {best}"
            if self.accepted
            else f"{name}: {self.problem} The closest digit is {best}."
        )


def predict_file(classifier: Classifier, path: Path) -> FilePrediction:
    """Read the digit on a picture. Whatever is wrong with the picture is in the reading."""
    try:
        digit, doubt = _find_digit(path)
    except DigitsError as error:
        return FilePrediction(str(path), problem=for_shell(error.detail))
    except OSError as error:
        return FilePrediction(str(path), problem=f"{system_reason(error)}.")
    answer = classifier.classify(digit)
    if answer.score < classifier.threshold:
        doubt = "This picture does not look like a digit."
    return FilePrediction(str(path), answer.digit, answer.confidence, doubt)


def _find_digit(path: Path) -> tuple[Pixels, str | None]:
    """What is most like a digit, and why not to take it for one, if so."""
    with path.open("rb") as file:
        data = file.read(
            MAX_BYTES + 1
        )  # One byte more is refused, and an endless file ends.
    try:
        return read_digit(data), None
    except NotADigitError as error:
        if error.guess is None:
            raise
        return error.guess, for_shell(error.detail)
