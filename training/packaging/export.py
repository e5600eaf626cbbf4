"""Exports a network from Keras to LiteRT.

The exported model takes (1, 28, 28) uint8 pixels and gives (1, 10) float32 logits and a
(1, 1) float32 score.
"""

import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
import scipy
import tensorflow as tf

from digits.arrays import Integers, Pixels
from digits.errors import DigitsError
from training import networks
from training.evaluation.predictions import Predictions
from training.pictures import non_digits

# How far an export's predictions for the test split may be from the Keras model's.
# Float32 differs by rounding only. Int8 has some 250 levels per activation, which turns
# the odd image that was on the edge between two digits.
TOLERANCES = {
    "float32_probability_difference": 1e-4,
    "float32_score_difference": 1e-3,
    "int8_disagreement": 0.02,
    "int8_accuracy_drop": 0.01,
}
_CALIBRATION_DIGITS = 400
_CALIBRATION_NON_DIGITS = 100


class ExportError(DigitsError):
    """The exported model's predictions differ from those of the trained network."""

    slug = "export-failed"
    title = "Export failed"


@dataclass(frozen=True)
class Exports:
    """A network in LiteRT's format.

    Attributes:
        float32: with the network's own weights, to show that the conversion is right.
        int8: in 8-bit integers, a quarter of the size and some 3 times as fast.
    """

    float32: bytes
    int8: bytes


def export_network(model: keras.Model, images: Pixels) -> Exports:
    """Convert a network.

    Args:
        model: the network.
        images: (n, 28, 28) uint8 of the training split. Some of the images, evenly
            spread, fix the ranges of the activations, together with non-digits: without
            non-digits, a score would be cut off where the scores of digits end.
    """
    spread = np.linspace(0, len(images) - 1, _CALIBRATION_DIGITS, dtype=int)
    added = non_digits.draw_fitted(_CALIBRATION_NON_DIGITS, 0, images)
    calibration = np.concatenate([images[spread], added])
    served = networks.served(model, batch_size=1)
    with tempfile.TemporaryDirectory() as folder:
        # By way of a SavedModel: the converter's other ways in can lose the weights
        # without an error.
        served.export(folder, verbose=False)
        return Exports(float32=_convert(folder), int8=_convert(folder, calibration))


def check_float32(reference: Predictions, exported: Predictions) -> None:
    """Compare a float32 export's predictions with the network's, for the same images.

    Raises:
        ExportError: a probability or a score differs by more than the tolerance, or is
            not a number.
    """
    expected = scipy.special.softmax(reference.logits.astype(np.float64), axis=1)
    actual = scipy.special.softmax(exported.logits.astype(np.float64), axis=1)
    probability_difference = float(np.abs(expected - actual).max())
    score_difference = float(np.abs(reference.scores - exported.scores).max())
    _check("float32_probability_difference", probability_difference)
    _check("float32_score_difference", score_difference)


def check_int8(reference: Predictions, exported: Predictions, labels: Integers) -> None:
    """Compare an int8 export's predictions with the network's, for the same images.

    Raises:
        ExportError: too many images are read differently, or too few are read right.
    """
    disagreement = np.mean(reference.digits != exported.digits)
    right = np.sum(reference.digits == labels)
    exported_right = np.sum(exported.digits == labels)
    # One image on the edge is no fault, however few the images are.
    one_image = 1 / len(labels)
    _check("int8_disagreement", float(disagreement), one_image)
    _check(
        "int8_accuracy_drop", float((right - exported_right) / len(labels)), one_image
    )


def _check(name: str, value: float, least_tolerance: float = 0.0) -> None:
    tolerance = max(TOLERANCES[name], least_tolerance)
    # `not <=` also refuses NaN.
    if not value <= tolerance:
        raise ExportError(
            f"The exported model differs from the network: {name} is {value:.6f}."
            f" At most {tolerance:g} is allowed. Nothing was published."
        )


def _convert(folder: str, calibration: Pixels | None = None) -> bytes:
    """A SavedModel in LiteRT's format; in 8-bit integers if there are calibration images."""
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    if calibration is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: _feed(calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    with warnings.catch_warnings():
        # The input is uint8 already, so it needs no statistics.
        warnings.filterwarnings(
            "ignore", "Statistics for quantized inputs were expected", UserWarning
        )
        converted: bytes = converter.convert()
        return converted


def _feed(images: Pixels) -> Iterator[list[Pixels]]:
    """Each image as the exported network takes it."""
    for image in images:
        yield [image[np.newaxis]]
