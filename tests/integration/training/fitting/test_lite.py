"""`lite`: its cost, its recipe, and how it scores digits and non-digits."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from digits.datasets.tfds import Split
from digits.datasets.versions import DatasetVersion
from digits.models.classifier import Classifier
from digits.models.manifests import MODEL_FILE, SCORE
from digits.parameters import Parameters
from digits.store import Store
from tests.integration.training.conftest import (
    CREATED,
    EndError,
    Interrupted,
    assert_same_weights,
)
from training import networks
from training.evaluation.metrics import auroc
from training.evaluation.predictions import keras_predictions
from training.fitting import fit
from training.fitting.checkpoint import Checkpoint
from training.fitting.fit import Fitted
from training.input import Examples
from training.packaging import weights
from training.packaging.package import Package, make_manifest, pack
from training.pictures import non_digits

pytestmark = [
    pytest.mark.long,
    # Keras' own, with this NumPy.
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
    ),
]

# Fewer epochs leave the scores of digits and non-digits to chance.
PARAMETERS = Parameters(epochs=8, batch_size=32)


@pytest.fixture(scope="module")
def lite(training: Examples) -> Fitted:
    return fit.train(training, PARAMETERS)


@pytest.fixture(scope="module")
def packed(lite: Fitted, training: Examples, test: Examples) -> Package:
    return pack(lite.model, "lite", training, test)


def multiply_adds(model: keras.Model) -> int:
    total = 0
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            outputs = np.prod(layer.output.shape[1:3])
            total += int(outputs * np.prod(layer.kernel.shape))
        elif isinstance(layer, layers.Dense):
            total += int(np.prod(layer.kernel.shape))
    return total


def test_lite_costs_less_than_lab() -> None:
    lab, lite = networks.build("lab"), networks.build("lite")
    convolutions = 26**2 * 9 * 32 + 24**2 * 9 * 32 * 64
    dense_layers = 9216 * 128 + 128 * 10
    assert multiply_adds(lab) == convolutions + dense_layers
    assert multiply_adds(lite) < multiply_adds(lab)
    assert lite.count_params() < lab.count_params() / 3


def test_a_training_that_was_interrupted_twice_gives_the_same_weights(
    lite: Fitted, training: Examples, file_store: Store
) -> None:
    for epochs in (1, 2):
        with pytest.raises(EndError):
            fit.train(training, PARAMETERS, checkpoint=Interrupted(file_store, epochs))
    checkpoint = Checkpoint(file_store, "interrupted")
    resumed = fit.train(training, PARAMETERS, checkpoint=checkpoint)
    assert_same_weights(resumed.model, lite.model)


def test_scores_tell_digits_from_non_digits(lite: Fitted, test: Examples) -> None:
    drawn = non_digits.draw_fitted(100, 1, test.images)
    digit_scores = keras_predictions(lite.model, test.images).scores
    non_digit_scores = keras_predictions(lite.model, drawn).scores
    assert auroc(digit_scores, non_digit_scores) > 0.8


def test_the_predict_function_gets_the_scores_and_their_threshold(
    packed: Package, lite: Fitted, test: Examples
) -> None:
    counts: dict[Split, int] = {"train": 600, "test": 200}
    dataset = DatasetVersion("tiny", "1.0.0", counts, "0" * 64)
    manifest = make_manifest(packed, dataset, {}, CREATED)
    classifier = Classifier(manifest, packed.files[MODEL_FILE])
    assert classifier.threshold == packed.thresholds[SCORE]
    stripes = np.tile(np.array([0, 0, 255, 255], np.uint8), (1, 28, 7))
    pictures = np.concatenate([test.images[:50], stripes])
    expected = keras_predictions(lite.model, pictures).scores
    found = np.array([classifier.classify(picture).score for picture in pictures])
    np.testing.assert_allclose(found, expected, atol=float(np.ptp(expected)) / 4)


def test_the_weights_of_lite_can_be_imported(
    packed: Package, lite: Fitted, tmp_path: Path, test: Examples
) -> None:
    path = tmp_path / "weights.h5"
    path.write_bytes(packed.files["model.weights.h5"])
    assert_same_weights(weights.load(path, "lite"), lite.model)
    assert_same_weights(weights.load_best_order(path, "lite", test), lite.model)


def test_a_temperature_scales_logits_and_scores(test: Examples) -> None:
    model = networks.build("lite")
    before = keras_predictions(model, test.images)
    networks.soften(model, 2.0)
    after = keras_predictions(model, test.images)
    np.testing.assert_allclose(after.logits * 2, before.logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(after.scores * 2, before.scores, rtol=1e-4, atol=1e-5)
