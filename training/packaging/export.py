"""From Keras to LiteRT: (1, 28, 28) uint8 pixels in; (1, 10) float32 logits and a (1, 1) float32 score out."""

import tempfile
import warnings
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from digits.arrays import Integers, Pixels
from digits.errors import DigitsError
from training import networks
from training.evaluation.answers import Answers
from training.evaluation.metrics import log_softmax
from training.pictures import non_digits

# How far an export may be from the Keras model, on the test split. Float32 differs by
# rounding only. Int8 has some 250 levels for each activation, which turns the odd image
# that was on the edge.
TOLERANCES = {
    "float32_probability_difference": 1e-4,
    "float32_score_difference": 1e-3,
    "int8_disagreement": 0.02,
    "int8_accuracy_drop": 0.01,
}
_CALIBRATION_DIGITS = 400
_CALIBRATION_OTHERS = 100


class ExportError(DigitsError):
    """The exported model does not answer as the network that was trained."""

    slug = "export-failed"
    title = "Export failed"


@dataclass(frozen=True)
class Exports:
    """A network in LiteRT's format.

    Attributes:
        float32: with its own weights, to show that the conversion itself is right.
        int8: in 8-bit integers, a quarter of the size and some 3 times as fast.
    """

    float32: bytes
    int8: bytes


def export(model: keras.Model, images: Pixels) -> Exports:
    """Convert a network.

    Args:
        model: the network.
        images: (n, 28, 28) uint8 of the training split; some of them, evenly spread,
            fix the ranges of the activations, with pictures of no digits, without which
            a score would end where those of digits do.
    """
    digits = images[np.linspace(0, len(images) - 1, _CALIBRATION_DIGITS, dtype=int)]
    others = non_digits.draw_fitted(_CALIBRATION_OTHERS, 0, images)
    served = networks.served(model, batch_size=1)
    with tempfile.TemporaryDirectory() as folder:
        # By way of a SavedModel: the converter's other ways in can lose the weights without a word.
        served.export(folder, verbose=False)
        return Exports(
            _convert(folder), _convert(folder, np.concatenate([digits, others]))
        )


def check_float32(reference: Answers, exported: Answers) -> None:
    """Hold what a float32 export answers against what the network does to the same images.

    Raises:
        ExportError: a probability or a score differs by more than the tolerance, or is
            not a number.
    """
    difference = np.abs(
        np.exp(log_softmax(reference.logits)) - np.exp(log_softmax(exported.logits))
    ).max()
    _check("float32_probability_difference", float(difference))
    _check(
        "float32_score_difference",
        float(np.abs(reference.scores - exported.scores).max()),
    )


def check_int8(reference: Answers, exported: Answers, labels: Integers) -> None:
    """Hold what an int8 export answers against what the network does to the same images.

    Raises:
        ExportError: it reads too many images differently, or too few right.
    """
    expected, found = reference.logits.argmax(axis=1), exported.logits.argmax(axis=1)
    # One image on the edge is no fault, however few there are.
    one = 1 / len(labels)
    _check("int8_disagreement", float(np.mean(expected != found)), one)
    _check(
        "int8_accuracy_drop",
        float(np.sum(expected == labels) - np.sum(found == labels)) / len(labels),
        one,
    )


def _check(name: str, value: float, least: float = 0.0) -> None:
    limit = max(TOLERANCES[name], least)
    # Written so that NaN fails.
    if not value <= limit:
        raise ExportError(
            f"Expected {name} to be at most {limit:g}. Received {value:.6f}. Nothing was published."
        )


def _convert(folder: str, calibration: Pixels | None = None) -> bytes:
    """A SavedModel in LiteRT's format; in 8-bit integers, if there is something to calibrate with."""
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    if calibration is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [image[np.newaxis]] for image in calibration
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    with warnings.catch_warnings():
        # The input is uint8 already, so it needs no statistics.
        warnings.filterwarnings(
            "ignore", "Statistics for quantized inputs were expected", UserWarning
        )
        converted: bytes = converter.convert()
        return converted
