"""Networks, and what becomes of one while it is fitted and measured."""

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
from training.evaluation.answers import evaluate
from training.evaluation.metrics import log_softmax
from training.fitting import fit
from training.fitting.checkpoint import Checkpoint
from training.fitting.fit import Fitted
from training.fitting.progress import Phases
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


def test_logits_with_this_loss_are_the_labs_softmax_with_its(
    fitted: Fitted, test: Examples
) -> None:
    logits = fitted.model(scale(test.images))
    labs = keras.losses.CategoricalCrossentropy()(
        keras.utils.to_categorical(test.labels, 10), tf.nn.softmax(logits)
    )
    assert float(
        tf.reduce_mean(fitted.model.loss(test.labels, logits))
    ) == pytest.approx(float(labs), rel=1e-5)


def test_another_architecture_is_refused() -> None:
    with pytest.raises(
        InvalidParameterError, match=r"to be one of lab, lite\. Received 'gpt'"
    ):
        networks.build("gpt")


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


def test_a_damaged_checkpoint_is_no_obstacle(
    fitted: Fitted, training: Examples, file_store: Store
) -> None:
    file_store.write(checkpoint_key("job"), b"PK, but no more")
    started_anew = fit.train(
        training, PARAMETERS, checkpoint=Checkpoint(file_store, "job")
    )
    assert_same_weights(started_anew.model, fitted.model)


def test_another_seed_gives_other_weights(fitted: Fitted, training: Examples) -> None:
    other = fit.train(
        training, PARAMETERS.model_copy(update={"seed": 1, "epochs": 1})
    ).model
    assert not np.array_equal(other.get_weights()[0], fitted.model.get_weights()[0])


def test_training_learns(fitted: Fitted) -> None:
    assert set(fitted.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    first, last = fitted.history["loss"]
    assert last < first


def test_each_epochs_end_is_told(fitted: Fitted, reports: list[Progress]) -> None:
    assert [report.phase for report in reports] == [
        "preparing",
        "fitting",
        "fitting",
        "fitting",
    ]
    ends = [report for report in reports if report.epoch is not None]
    assert [report.epoch for report in ends] == [1, 2]
    assert {(report.epochs, report.step, report.steps) for report in ends} == {
        (2, 9, 9)
    }
    assert [report.loss for report in ends] == pytest.approx(fitted.history["loss"])
    assert [report.validation_accuracy for report in ends] == pytest.approx(
        fitted.history["val_accuracy"]
    )
    # What comes after the fitting is left at its end.
    assert ends[-1].eta_seconds
    assert ends[-1].eta_seconds > 4.9


def test_too_few_images_to_validate_on_are_no_obstacle(training: Examples) -> None:
    few, _ = hold_out(training)
    assert set(fit.train(few.where(np.arange(len(few)) < 3), PARAMETERS).history) == {
        "loss",
        "accuracy",
    }


def test_nothing_to_train_on_is_an_error() -> None:
    nothing = Examples(np.empty((0, 28, 28), np.uint8), np.empty(0, np.int64))
    with pytest.raises(InvalidDatasetError, match="Expected examples to train on"):
        fit.train(nothing, PARAMETERS)


def test_a_training_that_diverges_says_what_to_change(training: Examples) -> None:
    told: list[Progress] = []
    phases = Phases({"fitting": 10.0})
    phases.listen(told.append)
    with pytest.raises(InvalidParameterError, match="Lower learning_rate"):
        fit.train(
            training,
            PARAMETERS.model_copy(update={"learning_rate": 1e20}),
            phases=phases,
        )
    assert [report.phase for report in told] == ["preparing", "fitting"]
    assert phases.now().loss is None or math.isfinite(phases.now().loss or 0.0)


def test_figures_are_those_of_the_definition() -> None:
    logits = np.array([[5, 0, 0], [0, 0, 3], [1, 2, 0]], np.float32)
    logits = np.pad(logits, ((0, 0), (0, 7)), constant_values=-100)
    found = evaluate(logits, np.array([0, 1, 1]))
    chances = [
        math.exp(5) / (math.exp(5) + 2),
        1 / (2 + math.exp(3)),
        math.exp(2) / (math.e + math.exp(2) + 1),
    ]
    assert found.loss == pytest.approx(-np.log(chances).mean())
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.class_accuracies == {0: 1.0, 1: 0.5}
    assert found.confusion[1, 2] == found.confusion[1, 1] == found.confusion[0, 0] == 1
    assert found.confusion.sum() == 3


def test_probabilities_of_huge_logits_are_finite() -> None:
    logarithms = log_softmax(np.array([[1e4, -1e4]], np.float32))
    np.testing.assert_array_equal(logarithms, [[0, -2e4]])
