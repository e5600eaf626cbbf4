"""What a model answers, and how good that is; the same figures for Keras and for LiteRT."""

from dataclasses import dataclass

import keras
import numpy as np

from digits.arrays import Floats, Integers, Mask, Pixels
from digits.digit import CLASSES
from digits.models.litert import LiteRT
from training import networks
from training.evaluation.metrics import cross_entropy, log_softmax

_BATCH = 512


@dataclass(frozen=True)
class Answers:
    """What a model answers to n images.

    Attributes:
        logits: (n, 10) float32; NaN where nothing was found to read.
        scores: (n,) float32, the higher, the more an image looks like a digit; -inf of
            one that was refused.
    """

    logits: Floats
    scores: Floats

    @property
    def confidences(self) -> Floats:
        """The probability of each image's best digit, (n,)."""
        confidences: Floats = np.exp(log_softmax(self.logits).max(axis=1))
        return confidences

    def right(self, labels: Integers) -> Mask:
        """Which images' best digit is their label, (n,); an image without logits has none."""
        right: Mask = (self.logits.argmax(axis=1) == labels) & ~np.isnan(
            self.logits[:, 0]
        )
        return right


@dataclass(frozen=True)
class Evaluation:
    """What a model made of labelled examples.

    Attributes:
        loss: mean cross-entropy, in nats.
        confusion: (10, 10) int64, examples by true digit (row) and predicted digit (column).
    """

    loss: float
    confusion: Integers

    @property
    def accuracy(self) -> float:
        """The share of examples that were read right."""
        return float(self.confusion.trace() / self.confusion.sum())

    @property
    def class_accuracies(self) -> dict[int, float]:
        """The share that was read right of each digit that occurs."""
        totals = self.confusion.sum(axis=1)
        return {
            digit: float(self.confusion[digit, digit] / totals[digit])
            for digit in np.flatnonzero(totals).tolist()
        }


def evaluate(logits: Floats, labels: Integers) -> Evaluation:
    """Judge (n, 10) logits by (n,) labels, n at least 1."""
    confusion = np.zeros((CLASSES, CLASSES), np.int64)
    np.add.at(confusion, (labels, logits.argmax(axis=1)), 1)
    return Evaluation(loss=cross_entropy(logits, labels), confusion=confusion)


def keras_answers(model: keras.Model, images: Pixels) -> Answers:
    """What a network answers to (n, 28, 28) images."""
    answers = networks.served(model).predict(images, batch_size=_BATCH, verbose=0)
    return Answers(answers["logits"], answers["score"][:, 0])


def litert_answers(model: bytes, images: Pixels) -> Answers:
    """What an exported model answers to (n, 28, 28) images; one at a time, as it is served.

    Raises:
        ValueError: the bytes are no such model.
    """
    litert = LiteRT(model)
    answers = Answers(
        np.empty((len(images), CLASSES), np.float32), np.empty(len(images), np.float32)
    )
    for index, image in enumerate(images):
        answers.logits[index], answers.scores[index] = litert.answer(image)
    return answers
