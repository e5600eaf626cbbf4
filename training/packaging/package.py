"""What becomes of a trained network: the files of a model version, checked and measured before anyone can see them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import keras
import numpy as np

from digits.datasets.versions import DatasetVersion
from digits.models import manifests
from digits.models.manifests import MODEL_FILE, SCORE, WEIGHTS_FILE, Manifest
from training.evaluation.answers import Answers, evaluate, keras_answers, litert_answers
from training.input import Examples, hold_out
from training.packaging import export, weights
from training.revision import revision

# Of the digits held out of the training, on which the threshold of rejection is set. A
# little more than the 99.5 % that are to be kept of others: some 3,000 digits do not
# tell their share more exactly.
KEPT = 0.996


@dataclass(frozen=True)
class Package:
    """A model, ready to be published.

    Attributes:
        files: content by name.
        float32: the export that is not published, only compared with.
        metrics: its figures on the test split.
        thresholds: the bounds it was held to or sets.
        answers: of the model that is published, to the test split.
    """

    files: dict[str, bytes]
    float32: bytes
    metrics: dict[str, float]
    thresholds: dict[str, float]
    answers: Answers = field(compare=False)


def pack(
    model: keras.Model, architecture: str, training: Examples, test: Examples
) -> Package:
    """Export a network and measure it.

    Args:
        model: the network, as `network.build` makes it.
        architecture: which one it is.
        training: shows the exporter what the activations are like.
        test: what to compare and measure with.

    Returns:
        `accuracy`, `loss` and `accuracy_0` to `accuracy_9` are of the int8 model that
        is published, the others of the network and of its float32 export.

    Raises:
        ExportError: an export does not answer as the network does.
    """
    reference = keras_answers(model, test.images)
    exports = export.export(model, training.images)
    float32 = litert_answers(exports.float32, test.images)
    export.check_float32(reference, float32)
    int8 = litert_answers(exports.int8, test.images)
    export.check_int8(reference, int8, test.labels)
    threshold = _threshold(exports.int8, training)
    published = evaluate(int8.logits, test.labels)
    metrics = {
        "accuracy": published.accuracy,
        "loss": published.loss,
        "kept": float(np.mean(int8.scores >= threshold)),
    }
    for name, answers in {"float32": float32, "keras": reference}.items():
        found = evaluate(answers.logits, test.labels)
        metrics |= {f"accuracy_{name}": found.accuracy, f"loss_{name}": found.loss}
    metrics |= {
        f"accuracy_{digit}": accuracy
        for digit, accuracy in published.class_accuracies.items()
    }
    files = {MODEL_FILE: exports.int8, WEIGHTS_FILE: weights.dump(model, architecture)}
    return Package(
        files, exports.float32, metrics, export.TOLERANCES | {SCORE: threshold}, int8
    )


def _threshold(model: bytes, training: Examples) -> float:
    """The lowest score of a digit: `KEPT` of the digits held out of the training reach it."""
    _, validation = hold_out(training)
    # A handful of digits may leave none to hold out.
    scores = litert_answers(
        model, (validation if len(validation) else training).images
    ).scores
    return float(np.quantile(scores, 1 - KEPT, method="lower"))


def describe(
    package: Package,
    dataset: DatasetVersion,
    parameters: dict[str, Any],
    created: datetime,
) -> Manifest:
    """The manifest under which a package is to be published; the same arguments, the same version."""
    return Manifest(
        version=manifests.version_name(created, package.files),
        dataset=dataset.name,
        dataset_version=dataset.version,
        code_revision=revision() or "unknown",
        parameters=parameters,
        metrics=package.metrics,
        thresholds=package.thresholds,
        files={name: manifests.describe(data) for name, data in package.files.items()},
    )
