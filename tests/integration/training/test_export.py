"""Exports: as good as the network they were made from, or refused."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from digits.classifier import Classifier
from digits.dataset_versions import DatasetVersion
from digits.models import MODEL_FILE
from tests.integration.training.conftest import CREATED
from training import export
from training.evaluate import evaluate_litert, keras_logits, litert_logits, log_softmax
from training.export import ExportError
from training.fit import Fitted
from training.input import Examples, scale
from training.package import Package, describe, pack

# Keras' own, with this NumPy.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

Logits = npt.NDArray[np.floating]


@pytest.fixture(scope="module")
def reference(fitted: Fitted, test: Examples) -> Logits:
    return keras_logits(fitted.model, test)


def test_the_predict_function_gets_what_keras_gives(
    package: Package, reference: Logits, test: Examples, dataset: DatasetVersion
) -> None:
    manifest = describe(package, dataset, {}, CREATED)
    classifier = Classifier(manifest, package.files[MODEL_FILE])
    expected = np.exp(log_softmax(reference))
    for image, probabilities in zip(test.images[:50], expected, strict=False):
        np.testing.assert_allclose(classifier.classify(image), probabilities, atol=0.05)


@pytest.fixture(scope="module")
def dataset() -> DatasetVersion:
    return DatasetVersion("tiny", "1.0.0", {"train": 600, "test": 200}, "0" * 64)


def test_the_published_figures_are_those_of_the_published_file(package: Package, test: Examples) -> None:
    found = evaluate_litert(package.files[MODEL_FILE], test)
    assert package.metrics["accuracy"] == found.accuracy
    assert package.metrics["loss"] == found.loss
    assert package.metrics["accuracy_7"] == found.class_accuracies[7]
    assert package.metrics["accuracy_float32"] == package.metrics["accuracy_keras"]
    assert len(package.files[MODEL_FILE]) < 1.3e6


def test_the_same_network_makes_the_same_files(
    package: Package, fitted: Fitted, training: Examples, test: Examples
) -> None:
    assert pack(fitted.model, "lab", training, test) == package


def test_the_conversion_that_loses_the_weights_is_caught(fitted: Fitted, reference: Logits, test: Examples) -> None:
    served = tf.function(lambda pixels: fitted.model(scale(pixels)), [tf.TensorSpec((1, 28, 28), tf.uint8)])
    concrete = served.get_concrete_function()
    converted = tf.lite.TFLiteConverter.from_concrete_functions([concrete], fitted.model).convert()
    with pytest.raises(ExportError, match="Nothing was published"):
        export.check_float32(reference, litert_logits(converted, test))


@pytest.mark.parametrize(
    "sabotage",
    [
        pytest.param(lambda logits: logits * 1.01, id="scaled"),
        pytest.param(lambda logits: logits[:, ::-1], id="other-classes"),
        pytest.param(lambda logits: np.full_like(logits, np.nan), id="nan"),
    ],
)
def test_a_float32_export_that_differs_is_refused(reference: Logits, sabotage: Callable[[Logits], Logits]) -> None:
    with pytest.raises(ExportError, match=r"Expected float32_probability_difference to be at most 0\.0001"):
        export.check_float32(reference, sabotage(reference))


def test_an_int8_export_that_reads_other_digits_is_refused(reference: Logits, test: Examples) -> None:
    other = reference.copy()
    other[:5] = reference[:5, ::-1]
    with pytest.raises(ExportError, match=r"int8_disagreement to be at most 0\.02\. Received 0\.025"):
        export.check_int8(reference, other, test.labels)


def test_an_int8_export_that_reads_fewer_digits_right_is_refused(reference: Logits, test: Examples) -> None:
    right = np.flatnonzero(reference.argmax(axis=1) == test.labels)[:3]
    other = reference.copy()
    other[right] = reference[right, ::-1]
    with pytest.raises(ExportError, match=r"int8_accuracy_drop to be at most 0\.01\. Received 0\.015"):
        export.check_int8(reference, other, test.labels)
