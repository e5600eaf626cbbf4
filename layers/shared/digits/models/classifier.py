"""A loaded model: a 28x28 digit in, ten probabilities and a score out."""

import math
from dataclasses import dataclass

from digits.arrays import Pixels
from digits.errors import DamagedObjectError
from digits.models.litert import LiteRT
from digits.models.manifests import MODEL_FILE, SCORE, Manifest


@dataclass(frozen=True)
class Answer:
    """What a model makes of an image.

    Attributes:
        probabilities: of the ten digits, if it is one.
        score: the higher, the more it looks like a digit; below the classifier's
            threshold it is taken for none.
    """

    probabilities: list[float]
    score: float

    @property
    def digit(self) -> int:
        """The likeliest."""
        return self.probabilities.index(self.confidence)

    @property
    def confidence(self) -> float:
        """Its probability."""
        return max(self.probabilities)


class Classifier:
    """A model and its manifest. For one thread at a time.

    Args:
        manifest: says what the model must hash to.
        model: the bytes of its `model.tflite`.

    Attributes:
        threshold: the lowest score of a digit.

    Raises:
        DamagedObjectError: the bytes are not those of the manifest, or not a model of digits.
    """

    def __init__(self, manifest: Manifest, model: bytes) -> None:
        self.manifest = manifest
        try:
            self._model = LiteRT(manifest.check(MODEL_FILE, model))
            self.threshold = manifest.thresholds[SCORE]
        except (KeyError, ValueError) as error:
            raise DamagedObjectError(
                f"Model {manifest.version} cannot be used: {error}."
            ) from error

    def classify(self, digit: Pixels) -> Answer:
        """Read a digit, (28, 28) uint8, light ink on dark.

        The softmax is in floating point, because the steps of an int8 softmax are
        1/256; and in Python, which does ten numbers before NumPy has begun.
        """
        logits, score = self._model.answer(digit)
        levels = logits.tolist()
        highest = max(levels)
        weights = [math.exp(level - highest) for level in levels]
        total = sum(weights)
        return Answer([weight / total for weight in weights], score)
