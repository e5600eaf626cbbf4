"""Fitting gives the same weights after interruptions, and reports its progress."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from digits.errors import InvalidDatasetError, InvalidParameterError
from digits.jobs import Progress, checkpoint_key
from digits.store import Store
from tests.integration.training.conftest import (
    LAB_SHAPES,
    PARAMETERS,
    EndError,
    Interrupted,
    assert_same_weights,
)
from training import networks
from training.evaluation.predictions import evaluate
from training.fitting import fit
from training.fitting.checkpoint import Checkpoint
from training.fitting.fit import Fitted
from training.fitting.objective import make_targets
from training.fitting.phases import Phases
from training.input import Examples, hold_out, scale

# Keras' own, with this NumPy.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


def test_lab_is_the_labs_network() -> None:
    model = networks.build("lab")
    assert [weight.shape for weight in model.get_weights()] == LAB_SHAPES
    assert model.output_shape == (None, 10)


def test_lab_is_trained_as_the_lab_did(fitted: Fitted) -> None:
    assert isinstance(fitted.model.optimizer, keras.optimizers.Adadelta)
    assert float(fitted.model.optimizer.learning_rate) == 1.0


def test_the_loss_is_the_labs_loss(fitted: Fitted, test: Examples) -> None:
    logits = fitted.model(scale(test.images))
    loss = fitted.model.loss(tf.constant(make_targets(test.labels)), logits)
    labs_loss = keras.losses.CategoricalCrossentropy()(
        keras.utils.to_categorical(test.labels, 10), tf.nn.softmax(logits)
    )
    assert loss.numpy().mean() == pytest.approx(float(labs_loss), rel=1e-5)


def test_another_architecture_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match=r"'gpt'\. Use one of: lab, lite"):
        networks.build("gpt")


def test_a_network_without_an_entry_for_the_api_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(networks.NETWORKS, "gpt", networks.NETWORKS["lab"])
    with pytest.raises(RuntimeError, match=r"architectures\.py lacks \['gpt'\]"):
        networks.check_agreement()


def test_an_architecture_without_a_network_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(networks.NETWORKS, "lite")
    with pytest.raises(RuntimeError, match=r"NETWORKS .* lacks \['lite'\]"):
        networks.check_agreement()


def test_a_recipe_that_shows_other_numbers_of_examples_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(networks.NETWORKS, "lite", networks.NETWORKS["lab"])
    with pytest.raises(RuntimeError, match=r"Write 1\.0 as its examples_shown"):
        networks.check_agreement()


def test_a_training_that_was_interrupted_gives_the_same_weights(
    fitted: Fitted, training: Examples, file_store: Store
) -> None:
    with pytest.raises(EndError):
        fit.train(training, PARAMETERS, checkpoint=Interrupted(file_store, epochs=1))
    resumed = fit.train(
        training, PARAMETERS, checkpoint=Checkpoint(file_store, "interrupted")
    )
    assert len(resumed.history["loss"]) == 1
    assert_same_weights(resumed.model, fitted.model)


def test_a_training_with_a_damaged_checkpoint_starts_over(
    fitted: Fitted, training: Examples, file_store: Store
) -> None:
    file_store.write(checkpoint_key("job"), b"PK, but no more")
    checkpoint = Checkpoint(file_store, "job")
    started_over = fit.train(training, PARAMETERS, checkpoint=checkpoint)
    assert_same_weights(started_over.model, fitted.model)


def test_another_seed_gives_other_weights(fitted: Fitted, training: Examples) -> None:
    parameters = PARAMETERS.model_copy(update={"seed": 1, "epochs": 1})
    other = fit.train(training, parameters)
    first, *_ = fitted.model.get_weights()
    other_first, *_ = other.model.get_weights()
    assert not np.array_equal(other_first, first)


def test_training_learns(fitted: Fitted) -> None:
    assert set(fitted.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    first, last = fitted.history["loss"]
    assert last < first


def test_the_end_of_each_epoch_is_reported(
    fitted: Fitted, reports: list[Progress]
) -> None:
    phases = [report.phase for report in reports]
    assert phases == ["preparing", "fitting", "fitting", "fitting"]
    ends = [report for report in reports if report.epoch is not None]
    assert [report.epoch for report in ends] == [1, 2]
    for report in ends:
        assert (report.epochs, report.step, report.steps) == (2, 9, 9)
    losses = [report.loss for report in ends]
    assert losses == pytest.approx(fitted.history["loss"])
    accuracies = [report.validation_accuracy for report in ends]
    assert accuracies == pytest.approx(fitted.history["val_accuracy"])
    # The phases after the fitting are left.
    assert ends[-1].eta_seconds
    assert ends[-1].eta_seconds > 4.9


def test_a_training_without_validation_examples_succeeds(training: Examples) -> None:
    few, _ = hold_out(training)
    three = few.where(np.arange(len(few)) < 3)
    assert set(fit.train(three, PARAMETERS).history) == {"loss", "accuracy"}


def test_a_training_without_examples_is_refused() -> None:
    empty = Examples(np.empty((0, 28, 28), np.uint8), np.empty(0, np.int64))
    with pytest.raises(InvalidDatasetError, match="no examples to train on"):
        fit.train(empty, PARAMETERS)


def test_a_training_that_diverges_says_what_to_change(training: Examples) -> None:
    reports: list[Progress] = []
    phases = Phases({"fitting": 10.0})
    phases.listen(reports.append)
    parameters = PARAMETERS.model_copy(update={"learning_rate": 1e20})
    with pytest.raises(InvalidParameterError, match="Lower learning_rate"):
        fit.train(training, parameters, phases=phases)
    assert [report.phase for report in reports] == ["preparing", "fitting"]
    assert phases.now().loss is None or math.isfinite(phases.now().loss or 0.0)


def test_an_evaluation_follows_the_definitions() -> None:
    logits = np.array([[5, 0, 0], [0, 0, 3], [1, 2, 0]], np.float32)
    logits = np.pad(logits, ((0, 0), (0, 7)), constant_values=-100)
    labels = np.array([0, 1, 1])
    evaluation = evaluate(logits, labels)
    probabilities = [
        math.exp(5) / (math.exp(5) + 2),
        1 / (2 + math.exp(3)),
        math.exp(2) / (math.e + math.exp(2) + 1),
    ]
    assert evaluation.loss == pytest.approx(-np.log(probabilities).mean())
    assert evaluation.accuracy == pytest.approx(2 / 3)
    assert evaluation.class_accuracies == {0: 1.0, 1: 0.5}
    confusion = np.zeros((10, 10))
    confusion[labels, [0, 2, 1]] = 1
    np.testing.assert_array_equal(evaluation.confusion, confusion)
