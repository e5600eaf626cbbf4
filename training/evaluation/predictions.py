"""Predictions in Keras, in LiteRT and as the service makes them, and their accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import scipy

from digits.arrays import Floats, Integers, Mask, Pixels
from digits.digit import CLASSES, SIDE
from digits.models.litert import LiteRT
from training import networks
from training.evaluation.metrics import cross_entropy
from training.pictures.serving import Preprocessed

# The score of a picture that the service refuses, whatever the model.
REFUSED = -np.inf
_BATCH = 512


@dataclass(frozen=True)
class ExportedModel:
    """A model as the service runs it.

    Attributes:
        version: the model's name.
        tflite: the bytes of `model.tflite`.
        threshold: the lowest score that is accepted as a digit's.
    """

    version: str
    tflite: bytes
    threshold: float


@dataclass(frozen=True)
class Predictions:
    """A model's output for n images.

    Attributes:
        logits: (n, 10) float32; NaN for a picture on which the service finds no digit.
        scores: (n,) float32, the higher, the more an image looks like a digit;
            `REFUSED` for a picture that the service refuses.
    """

    logits: Floats
    scores: Floats

    @property
    def digits(self) -> Integers:
        """The most probable digit of each image, (n,)."""
        digits: Integers = self.logits.argmax(axis=1)
        return digits

    @property
    def confidences(self) -> Floats:
        """The probability of each image's most probable digit, (n,) float64."""
        logits = self.logits.astype(np.float64)
        confidences: Floats = scipy.special.softmax(logits, axis=1).max(axis=1)
        return confidences

    def correct(self, labels: Integers) -> Mask:
        """Whether each image's most probable digit is its label, (n,); false without logits."""
        has_logits = ~np.isnan(self.logits[:, 0])
        correct: Mask = (self.digits == labels) & has_logits
        return correct


@dataclass(frozen=True)
class Evaluation:
    """How well predictions fit their labels.

    Attributes:
        loss: mean cross-entropy, in nats.
        confusion: (10, 10) int64, examples by true digit (row) and predicted digit (column).
    """

    loss: float
    confusion: Integers

    @property
    def accuracy(self) -> float:
        """The share of examples that are read right."""
        return float(self.confusion.trace() / self.confusion.sum())

    @property
    def class_accuracies(self) -> dict[int, float]:
        """The accuracy by digit, of the digits that occur."""
        totals = self.confusion.sum(axis=1)
        accuracies = {}
        for digit in np.flatnonzero(totals).tolist():
            accuracies[digit] = float(self.confusion[digit, digit] / totals[digit])
        return accuracies


def evaluate(logits: Floats, labels: Integers) -> Evaluation:
    """Compare (n, 10) logits with (n,) labels, n at least 1."""
    confusion = np.zeros((CLASSES, CLASSES), np.int64)
    np.add.at(confusion, (labels, logits.argmax(axis=1)), 1)
    return Evaluation(loss=cross_entropy(logits, labels), confusion=confusion)


def keras_predictions(model: keras.Model, images: Pixels) -> Predictions:
    """The predictions of a network for (n, 28, 28) images."""
    served = networks.served(model)
    output = served.predict(images, batch_size=_BATCH, verbose=0)
    return Predictions(output["logits"], output["score"][:, 0])


def litert_predictions(model: bytes, images: Pixels) -> Predictions:
    """The predictions of a `model.tflite` for (n, 28, 28) images, one at a time, as it is served.

    Raises:
        ValueError: the bytes are not such a model.
    """
    litert = LiteRT(model)
    logits = np.empty((len(images), CLASSES), np.float32)
    scores = np.empty(len(images), np.float32)
    for index, image in enumerate(images):
        logits[index], scores[index] = litert.predict(image)
    return Predictions(logits, scores)


def serving_predictions(model: bytes, pictures: Sequence[Preprocessed]) -> Predictions:
    """The predictions of a `model.tflite` for pictures, as `?accept=any` makes them.

    A picture that the service refuses has the score `REFUSED`; one without a digit has
    logits of NaN.
    """
    images = np.zeros((len(pictures), SIDE, SIDE), np.uint8)
    is_empty = np.zeros(len(pictures), np.bool_)
    is_refused = np.zeros(len(pictures), np.bool_)
    for index, picture in enumerate(pictures):
        is_refused[index] = picture.is_refused
        if picture.digit is None:
            is_empty[index] = True
        else:
            images[index] = picture.digit
    predictions = litert_predictions(model, images)
    predictions.scores[is_refused] = REFUSED
    predictions.logits[is_empty] = np.nan
    return predictions
