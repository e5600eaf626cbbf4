"""Exports predict what the network predicts, or are refused."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

from digits.arrays import Floats, Integers
from digits.datasets.versions import DatasetVersion
from digits.models.classifier import Classifier
from digits.models.manifests import MODEL_FILE, SCORE
from tests.integration.training.conftest import CREATED
from training import networks
from training.evaluation.predictions import (
    Predictions,
    evaluate,
    keras_predictions,
    litert_predictions,
)
from training.fitting.fit import Fitted
from training.input import Examples
from training.packaging import export
from training.packaging.export import ExportError
from training.packaging.package import Package, make_manifest, pack

# Keras' own, with this NumPy.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


@pytest.fixture(scope="module")
def reference(fitted: Fitted, test: Examples) -> Predictions:
    return keras_predictions(fitted.model, test.images)


def reverse_digits(reference: Predictions, images: slice | Integers) -> Predictions:
    """The predictions with the logits of some images in reverse order."""
    logits = reference.logits.copy()
    logits[images] = logits[images, ::-1]
    return replace(reference, logits=logits)


def test_the_predict_function_gives_what_keras_gives(
    package: Package, reference: Predictions, test: Examples
) -> None:
    dataset = DatasetVersion("tiny", "1.0.0", {"train": 600, "test": 200}, "0" * 64)
    manifest = make_manifest(package, dataset, {}, CREATED)
    classifier = Classifier(manifest, package.files[MODEL_FILE])
    expected = softmax(reference.logits, axis=1)
    for index, image in enumerate(test.images[:50]):
        answer = classifier.classify(image)
        np.testing.assert_allclose(answer.probabilities, expected[index], atol=0.05)
        assert answer.score == pytest.approx(reference.scores[index], abs=0.5)


def test_the_published_figures_are_those_of_the_published_file(
    package: Package, test: Examples
) -> None:
    predictions = litert_predictions(package.files[MODEL_FILE], test.images)
    evaluation = evaluate(predictions.logits, test.labels)
    accepted = predictions.scores >= package.thresholds[SCORE]
    assert package.metrics["kept"] == np.mean(accepted)
    assert package.metrics["accuracy"] == evaluation.accuracy
    assert package.metrics["loss"] == evaluation.loss
    assert package.metrics["accuracy_7"] == evaluation.class_accuracies[7]
    assert package.metrics["accuracy_float32"] == package.metrics["accuracy_keras"]


def test_the_published_file_is_small(package: Package) -> None:
    assert len(package.files[MODEL_FILE]) < 1.3e6


def test_the_same_network_gives_the_same_files(
    package: Package, fitted: Fitted, training: Examples, test: Examples
) -> None:
    assert pack(fitted.model, "lab", training, test) == package


def test_a_conversion_that_loses_the_weights_is_refused(
    fitted: Fitted, reference: Predictions, test: Examples
) -> None:
    served = networks.served(fitted.model, batch_size=1)
    pixels = tf.TensorSpec((1, 28, 28), tf.uint8)
    concrete = tf.function(served, [pixels]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [concrete], fitted.model
    )
    exported = litert_predictions(converter.convert(), test.images)
    with pytest.raises(ExportError, match="Nothing was published"):
        export.check_float32(reference, exported)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda logits: logits * 1.01, id="scaled"),
        pytest.param(lambda logits: logits[:, ::-1], id="other-classes"),
        pytest.param(lambda logits: np.full_like(logits, np.nan), id="nan"),
    ],
)
def test_a_float32_export_with_other_probabilities_is_refused(
    reference: Predictions, damage: Callable[[Floats], Floats]
) -> None:
    exported = replace(reference, logits=damage(reference.logits))
    with pytest.raises(
        ExportError, match=r"float32_probability_difference is .* At most 0\.0001 is"
    ):
        export.check_float32(reference, exported)


def test_a_float32_export_with_other_scores_is_refused(reference: Predictions) -> None:
    exported = replace(reference, scores=reference.scores * 1.01)
    with pytest.raises(
        ExportError, match=r"float32_score_difference is .* At most 0\.001 is"
    ):
        export.check_float32(reference, exported)


def test_an_int8_export_that_reads_other_digits_is_refused(
    reference: Predictions, test: Examples
) -> None:
    exported = reverse_digits(reference, slice(5))
    with pytest.raises(
        ExportError, match=r"int8_disagreement is 0\.025000\. At most 0\.02 is"
    ):
        export.check_int8(reference, exported, test.labels)


def test_an_int8_export_may_read_one_image_of_few_differently(
    reference: Predictions, test: Examples
) -> None:
    few = Predictions(reference.logits[:20], reference.scores[:20])
    labels = test.labels[:20]
    export.check_int8(few, reverse_digits(few, slice(1)), labels)
    with pytest.raises(
        ExportError, match=r"int8_disagreement is 0\.100000\. At most 0\.05 is"
    ):
        export.check_int8(few, reverse_digits(few, slice(2)), labels)


def test_an_int8_export_that_reads_fewer_digits_right_is_refused(
    reference: Predictions, test: Examples
) -> None:
    right = np.flatnonzero(reference.correct(test.labels))[:3]
    exported = reverse_digits(reference, right)
    with pytest.raises(
        ExportError, match=r"int8_accuracy_drop is 0\.015000\. At most 0\.01 is"
    ):
        export.check_int8(reference, exported, test.labels)
