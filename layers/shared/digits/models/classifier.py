"""A loaded model: a 28x28 digit in, ten probabilities and a score out."""

import math
from dataclasses import dataclass

from digits.arrays import Pixels
from digits.errors import DamagedObjectError
from digits.models.litert import LiteRT
from digits.models.manifests import MODEL_FILE, SCORE, Manifest


@dataclass(frozen=True)
class Prediction:
    """A model's output for an image.

    Attributes:
        probabilities: of the ten digits, given that the image shows a digit.
        score: how digit-like the image is. An image with a score below the classifier's
            threshold is a non-digit.
    """

    probabilities: list[float]
    score: float

    @property
    def digit(self) -> int:
        """The most probable digit."""
        return self.probabilities.index(self.confidence)

    @property
    def confidence(self) -> float:
        """The probability of the most probable digit."""
        return max(self.probabilities)


class Classifier:
    """A model and its manifest, for one thread at a time.

    Args:
        manifest: describes the model.
        model: the bytes of `model.tflite`.

    Attributes:
        threshold: the lowest score of a digit.

    Raises:
        DamagedObjectError: the bytes do not match the manifest, or are not a model of digits.
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

    def classify(self, digit: Pixels) -> Prediction:
        """Classify a digit, white on black, uint8 of shape (28, 28).

        The softmax is in floating point, because an int8 softmax has steps of 1/256.
        The softmax is in Python, because ten numbers take less time than a call of NumPy.
        """
        logits, score = self._model.predict(digit)
        levels = logits.tolist()
        highest = max(levels)
        weights = [math.exp(level - highest) for level in levels]
        total = sum(weights)
        return Prediction([weight / total for weight in weights], score)
