"""Exports: as good as the network they were made from, or refused."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from digits.arrays import Floats
from digits.datasets.versions import DatasetVersion
from digits.models.classifier import Classifier
from digits.models.manifests import MODEL_FILE, SCORE
from tests.integration.training.conftest import CREATED
from training import networks
from training.evaluation.answers import Answers, evaluate, keras_answers, litert_answers
from training.evaluation.metrics import log_softmax
from training.fitting.fit import Fitted
from training.input import Examples
from training.packaging import export
from training.packaging.export import ExportError
from training.packaging.package import Package, describe, pack

# Keras' own, with this NumPy.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


@pytest.fixture(scope="module")
def reference(fitted: Fitted, test: Examples) -> Answers:
    return keras_answers(fitted.model, test.images)


def test_the_predict_function_gets_what_keras_gives(
    package: Package, reference: Answers, test: Examples, dataset: DatasetVersion
) -> None:
    manifest = describe(package, dataset, {}, CREATED)
    classifier = Classifier(manifest, package.files[MODEL_FILE])
    expected = np.exp(log_softmax(reference.logits))
    for image, probabilities, score in zip(
        test.images[:50], expected, reference.scores, strict=False
    ):
        answer = classifier.classify(image)
        np.testing.assert_allclose(answer.probabilities, probabilities, atol=0.05)
        assert answer.score == pytest.approx(score, abs=0.5)


@pytest.fixture(scope="module")
def dataset() -> DatasetVersion:
    return DatasetVersion("tiny", "1.0.0", {"train": 600, "test": 200}, "0" * 64)


def test_the_published_figures_are_those_of_the_published_file(
    package: Package, test: Examples
) -> None:
    answers = litert_answers(package.files[MODEL_FILE], test.images)
    found = evaluate(answers.logits, test.labels)
    assert package.metrics["kept"] == np.mean(
        answers.scores >= package.thresholds[SCORE]
    )
    assert package.metrics["accuracy"] == found.accuracy
    assert package.metrics["loss"] == found.loss
    assert package.metrics["accuracy_7"] == found.class_accuracies[7]
    assert package.metrics["accuracy_float32"] == package.metrics["accuracy_keras"]
    assert len(package.files[MODEL_FILE]) < 1.3e6


def test_the_same_network_makes_the_same_files(
    package: Package, fitted: Fitted, training: Examples, test: Examples
) -> None:
    assert pack(fitted.model, "lab", training, test) == package


def test_the_conversion_that_loses_the_weights_is_caught(
    fitted: Fitted, reference: Answers, test: Examples
) -> None:
    served = networks.served(fitted.model, batch_size=1)
    concrete = tf.function(
        served, [tf.TensorSpec((1, 28, 28), tf.uint8)]
    ).get_concrete_function()
    converted = tf.lite.TFLiteConverter.from_concrete_functions(
        [concrete], fitted.model
    ).convert()
    with pytest.raises(ExportError, match="Nothing was published"):
        export.check_float32(reference, litert_answers(converted, test.images))


@pytest.mark.parametrize(
    "sabotage",
    [
        pytest.param(lambda logits: logits * 1.01, id="scaled"),
        pytest.param(lambda logits: logits[:, ::-1], id="other-classes"),
        pytest.param(lambda logits: np.full_like(logits, np.nan), id="nan"),
    ],
)
def test_a_float32_export_that_differs_is_refused(
    reference: Answers, sabotage: Callable[[Floats], Floats]
) -> None:
    with pytest.raises(
        ExportError,
        match=r"Expected float32_probability_difference to be at most 0\.0001",
    ):
        export.check_float32(
            reference, replace(reference, logits=sabotage(reference.logits))
        )


def test_a_float32_export_with_other_scores_is_refused(reference: Answers) -> None:
    with pytest.raises(
        ExportError, match=r"Expected float32_score_difference to be at most 0\.001"
    ):
        export.check_float32(
            reference, replace(reference, scores=reference.scores * 1.01)
        )


def test_an_int8_export_that_reads_other_digits_is_refused(
    reference: Answers, test: Examples
) -> None:
    other = replace(reference, logits=reference.logits.copy())
    other.logits[:5] = reference.logits[:5, ::-1]
    with pytest.raises(
        ExportError, match=r"int8_disagreement to be at most 0\.02\. Received 0\.025"
    ):
        export.check_int8(reference, other, test.labels)


def test_one_image_of_few_may_be_read_differently(
    reference: Answers, test: Examples
) -> None:
    few = Answers(reference.logits[:20].copy(), reference.scores[:20])
    other = replace(few, logits=few.logits.copy())
    other.logits[0] = few.logits[0, ::-1]
    export.check_int8(few, other, test.labels[:20])
    other.logits[1] = few.logits[1, ::-1]
    with pytest.raises(
        ExportError, match=r"int8_disagreement to be at most 0\.05\. Received 0\.1"
    ):
        export.check_int8(few, other, test.labels[:20])


def test_an_int8_export_that_reads_fewer_digits_right_is_refused(
    reference: Answers, test: Examples
) -> None:
    right = np.flatnonzero(reference.logits.argmax(axis=1) == test.labels)[:3]
    other = replace(reference, logits=reference.logits.copy())
    other.logits[right] = reference.logits[right, ::-1]
    with pytest.raises(
        ExportError, match=r"int8_accuracy_drop to be at most 0\.01\. Received 0\.015"
    ):
        export.check_int8(reference, other, test.labels)
