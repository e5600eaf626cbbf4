"""Packages a trained network: a model version's files, checked before they are published."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import keras
import numpy as np

from digits.datasets.versions import DatasetVersion
from digits.models import manifests
from digits.models.manifests import MODEL_FILE, SCORE, WEIGHTS_FILE, Manifest
from training.evaluation.predictions import (
    ExportedModel,
    Predictions,
    evaluate,
    keras_predictions,
    litert_predictions,
)
from training.input import Examples, hold_out
from training.packaging import export, weights
from training.revision import revision

# The share of the held-out digits that the threshold accepts. A little above 99.5 %, the
# aim for other digits: some 3,000 held-out digits do not tell that share more exactly.
KEPT = 0.996


@dataclass(frozen=True)
class Package:
    """A model, ready to be published.

    Attributes:
        files: content by name.
        float32: the export that is only measured, not published.
        metrics: the figures of the manifest, on the test split.
        thresholds: the export's tolerances, and the lowest score that is accepted.
        predictions: of the model that is published, for the test split.
    """

    files: dict[str, bytes]
    float32: bytes
    metrics: dict[str, float]
    thresholds: dict[str, float]
    predictions: Predictions = field(compare=False)

    @property
    def exports(self) -> dict[str, bytes]:
        """All exports of the network, by name."""
        return {"int8": self.files[MODEL_FILE], "float32": self.float32}

    def exported_model(self, version: str) -> ExportedModel:
        """The model that is published, under its version."""
        return ExportedModel(version, self.files[MODEL_FILE], self.thresholds[SCORE])


def pack(
    model: keras.Model, architecture: str, training: Examples, test: Examples
) -> Package:
    """Export a network and measure the exports.

    Args:
        model: the network, as `networks.build` makes it.
        architecture: the network's name.
        training: the training split: shows the exporter the range of the activations.
        test: what the exports are compared and measured on.

    Returns:
        Of the metrics, `accuracy`, `loss`, `kept` and `accuracy_0` to `accuracy_9` are
        of the int8 model that is published, the others of the network and its float32
        export.

    Raises:
        ExportError: an export's predictions differ from the network's.
    """
    keras_reference = keras_predictions(model, test.images)
    exports = export.export_network(model, training.images)
    float32 = litert_predictions(exports.float32, test.images)
    export.check_float32(keras_reference, float32)
    int8 = litert_predictions(exports.int8, test.images)
    export.check_int8(keras_reference, int8, test.labels)
    threshold = _find_threshold(exports.int8, training)
    metrics = _measure_published(int8, test, threshold)
    for name, predictions in {"float32": float32, "keras": keras_reference}.items():
        evaluation = evaluate(predictions.logits, test.labels)
        metrics[f"accuracy_{name}"] = evaluation.accuracy
        metrics[f"loss_{name}"] = evaluation.loss
    files = {MODEL_FILE: exports.int8, WEIGHTS_FILE: weights.dump(model, architecture)}
    thresholds = export.TOLERANCES | {SCORE: threshold}
    return Package(files, exports.float32, metrics, thresholds, int8)


def make_manifest(
    package: Package,
    dataset: DatasetVersion,
    parameters: Mapping[str, Any],
    created: datetime,
) -> Manifest:
    """The manifest of a package. The same arguments give the same version."""
    files = {name: manifests.file_info(data) for name, data in package.files.items()}
    return Manifest(
        version=manifests.version_name(created, package.files),
        dataset=dataset.name,
        dataset_version=dataset.version,
        code_revision=revision() or "unknown",
        parameters=dict(parameters),
        metrics=package.metrics,
        thresholds=package.thresholds,
        files=files,
    )


def _find_threshold(model: bytes, training: Examples) -> float:
    """The score that a share of `KEPT` of the held-out training digits reach."""
    _, validation = hold_out(training)
    # A handful of digits may leave no validation digits.
    digits = validation if len(validation) else training
    scores = litert_predictions(model, digits.images).scores
    return float(np.quantile(scores, 1 - KEPT, method="lower"))


def _measure_published(
    predictions: Predictions, test: Examples, threshold: float
) -> dict[str, float]:
    evaluation = evaluate(predictions.logits, test.labels)
    metrics = {
        "accuracy": evaluation.accuracy,
        "loss": evaluation.loss,
        "kept": float(np.mean(predictions.scores >= threshold)),
    }
    for digit, accuracy in evaluation.class_accuracies.items():
        metrics[f"accuracy_{digit}"] = accuracy
    return metrics
