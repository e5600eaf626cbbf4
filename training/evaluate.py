"""How good a model is, from its logits; the same figures for Keras and for LiteRT."""

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from digits.tfds import CLASSES
from training.input import Examples, evaluation_batches

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Evaluation:
    """What a model made of labelled examples.

    Attributes:
        loss: mean cross-entropy, in nats.
        confusion: (10, 10) int64, examples by true digit (row) and predicted digit (column).
    """

    loss: float
    confusion: npt.NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """The share of examples that were read right."""
        return float(self.confusion.trace() / self.confusion.sum())

    @property
    def class_accuracies(self) -> dict[int, float]:
        """The share that was read right of each digit that occurs."""
        totals = self.confusion.sum(axis=1)
        return {digit: float(self.confusion[digit, digit] / totals[digit]) for digit in np.flatnonzero(totals).tolist()}


def evaluate(logits: Floats, labels: npt.NDArray[np.int64]) -> Evaluation:
    """Judge (n, 10) logits by (n,) labels, n at least 1."""
    confusion = np.zeros((CLASSES, CLASSES), np.int64)
    np.add.at(confusion, (labels, logits.argmax(axis=1)), 1)
    right = log_softmax(logits)[np.arange(len(labels)), labels]
    return Evaluation(loss=float(-right.mean()), confusion=confusion)


def evaluate_litert(model: bytes, examples: Examples) -> Evaluation:
    """`evaluate` for the bytes of an exported model."""
    return evaluate(litert_logits(model, examples), examples.labels)


def log_softmax(logits: Floats) -> npt.NDArray[np.float64]:
    """The logarithms of the probabilities, (n, 10) float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    normalised: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normalised


def keras_logits(model: keras.Model, examples: Examples) -> Floats:
    """What a network answers to each example, (n, 10)."""
    logits: Floats = model.predict(evaluation_batches(examples), verbose=0)
    return logits


def litert_logits(model: bytes, examples: Examples) -> Floats:
    """What an exported model answers to each example, (n, 10); one image at a time, as it is served."""
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    pixels = interpreter.get_input_details()[0]["index"]
    answer = interpreter.get_output_details()[0]["index"]
    logits = np.empty((len(examples), CLASSES), np.float32)
    for row, image in zip(logits, examples.images, strict=True):
        interpreter.set_tensor(pixels, image[np.newaxis])
        interpreter.invoke()
        row[:] = interpreter.get_tensor(answer)[0]
    return logits
