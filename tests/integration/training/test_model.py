"""One small network through all that can happen to it: fit, evaluate, export, weights files."""

import logging
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from digits.classifier import Classifier
from digits.dataset_versions import DatasetVersion
from digits.errors import InvalidDatasetError, InvalidParameterError
from digits.jobs import Parameters, Progress
from digits.models import MODEL_FILE, WEIGHTS_FILE
from tests.integration.training.conftest import CREATED
from training import export, fit, network, progress, weights
from training.evaluate import evaluate, evaluate_litert, keras_logits, litert_logits, log_softmax
from training.export import ExportError
from training.fit import Fitted
from training.input import Examples, hold_out, scale
from training.package import Package, describe, pack
from training.weights import InvalidWeightsError

# Keras' own, with this NumPy.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

PARAMETERS = Parameters(epochs=2, batch_size=64)
LAB_SHAPES = [(3, 3, 1, 32), (32,), (3, 3, 32, 64), (64,), (9216, 128), (128,), (128, 10), (10,)]
# Keras 2 writes the layers without weights too.
LAB_LAYERS = ["conv2d", "conv2d_1", "max_pooling2d", "dropout", "flatten", "dense", "dropout_1", "dense_1"]

Logits = npt.NDArray[np.floating]


@pytest.fixture(scope="module")
def splits(tiny_digits: Path) -> tuple[Examples, Examples]:
    with np.load(tiny_digits) as npz:
        training = Examples(npz["x_train"], npz["y_train"].astype(np.int64))
        return training, Examples(npz["x_test"], npz["y_test"].astype(np.int64))


@pytest.fixture(scope="module")
def training(splits: tuple[Examples, Examples]) -> Examples:
    return splits[0]


@pytest.fixture(scope="module")
def test(splits: tuple[Examples, Examples]) -> Examples:
    return splits[1]


@pytest.fixture(scope="module")
def reports() -> list[Progress]:
    """What was reported while `fitted` was trained."""
    return []


@pytest.fixture(scope="module")
def fitted(training: Examples, reports: list[Progress]) -> Fitted:
    return fit.train(training, PARAMETERS, on_progress=reports.append)


@pytest.fixture(scope="module")
def package(fitted: Fitted, training: Examples, test: Examples) -> Package:
    return pack(fitted.model, "lab", training, test)


def assert_same_weights(first: keras.Model, second: keras.Model) -> None:
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


# The network


def test_lab_is_the_labs_network() -> None:
    model = network.build("lab")
    assert [weight.shape for weight in model.get_weights()] == LAB_SHAPES
    assert model.output_shape == (None, 10)
    network.prepare(model, 1.0)
    assert isinstance(model.optimizer, keras.optimizers.Adadelta)
    assert float(model.optimizer.learning_rate) == 1.0


def test_logits_with_this_loss_are_the_labs_softmax_with_its(test: Examples) -> None:
    model = network.build("lab")
    network.prepare(model, 1.0)
    logits = model(scale(test.images))
    labs = keras.losses.CategoricalCrossentropy()(keras.utils.to_categorical(test.labels, 10), tf.nn.softmax(logits))
    assert float(model.loss(test.labels, logits)) == pytest.approx(float(labs), rel=1e-5)


def test_another_architecture_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match=r"to be one of lab\. Received 'gpt'"):
        network.build("gpt")


# Fit


def test_the_same_seed_gives_the_same_weights(fitted: Fitted, training: Examples) -> None:
    assert_same_weights(fit.train(training, PARAMETERS).model, fitted.model)


def test_another_seed_gives_other_weights(fitted: Fitted, training: Examples) -> None:
    other = fit.train(training, PARAMETERS.model_copy(update={"seed": 1, "epochs": 1})).model
    assert not np.array_equal(other.get_weights()[0], fitted.model.get_weights()[0])


def test_training_learns(fitted: Fitted) -> None:
    assert set(fitted.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    first, last = fitted.history["loss"]
    assert last < first


def test_each_epochs_end_is_reported(fitted: Fitted, reports: list[Progress]) -> None:
    ends = [report for report in reports if report.step == report.steps]
    assert [report.epoch for report in ends] == [1, 2]
    assert {(report.epochs, report.steps) for report in ends} == {(2, 9)}
    assert [report.loss for report in ends] == pytest.approx(fitted.history["loss"])
    assert [report.validation_accuracy for report in ends] == pytest.approx(fitted.history["val_accuracy"])
    assert ends[0].eta_seconds > 0
    assert ends[1].eta_seconds == 0


def test_too_few_images_to_validate_on_are_no_obstacle(training: Examples) -> None:
    few, _ = hold_out(training)
    assert set(fit.train(few.where(np.arange(len(few)) < 3), PARAMETERS).history) == {"loss", "accuracy"}


def test_nothing_to_train_on_is_an_error() -> None:
    nothing = Examples(np.empty((0, 28, 28), np.uint8), np.empty(0, np.int64))
    with pytest.raises(InvalidDatasetError, match="Expected examples to train on"):
        fit.train(nothing, PARAMETERS)


def test_a_training_that_diverges_says_what_to_change(training: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "REPORT_SECONDS", 0)
    told: list[Progress] = []
    with pytest.raises(InvalidParameterError, match="Lower learning_rate"):
        fit.train(training, PARAMETERS.model_copy(update={"learning_rate": 1e20}), on_progress=told.append)
    assert told
    assert all(math.isfinite(report.loss) for report in told)


# Progress


def test_a_line_is_logged_for_each_finished_epoch(
    reports: list[Progress], fitted: Fitted, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), progress.display() as show:
        show(reports[-1].model_copy(update={"step": 1}))
        show(reports[-1])
    assert caplog.messages == [f"{progress.describe(reports[-1])}, 0 s to go"]
    assert caplog.messages[0].startswith(f"Epoch 2/2: loss {fitted.history['loss'][-1]:.4f}, accuracy 0.")


def test_a_terminal_gets_a_bar(
    reports: list[Progress], fitted: Fitted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fitted
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "200")
    with progress.display() as show:
        show(reports[-1])
    assert progress.describe(reports[-1]) in capsys.readouterr().err


# Evaluate


def test_figures_are_those_of_the_definition() -> None:
    logits = np.array([[5, 0, 0], [0, 0, 3], [1, 2, 0]], np.float32)
    logits = np.pad(logits, ((0, 0), (0, 7)), constant_values=-100)
    found = evaluate(logits, np.array([0, 1, 1]))
    chances = [math.exp(5) / (math.exp(5) + 2), 1 / (2 + math.exp(3)), math.exp(2) / (math.e + math.exp(2) + 1)]
    assert found.loss == pytest.approx(-np.log(chances).mean())
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.class_accuracies == {0: 1.0, 1: 0.5}
    assert found.confusion[1, 2] == found.confusion[1, 1] == found.confusion[0, 0] == 1
    assert found.confusion.sum() == 3


def test_probabilities_of_huge_logits_are_finite() -> None:
    logarithms = log_softmax(np.array([[1e4, -1e4]], np.float32))
    np.testing.assert_array_equal(logarithms, [[0, -2e4]])


# Export


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


# Weights files


def legacy_file(path: Path, arrays: list[npt.NDArray[np.float32]]) -> Path:
    """The layout of Keras 2's `save_weights`, as https://github.com/keras-team/keras/blob/2.0.0/keras/engine/topology.py
    writes it.
    """
    left = iter(arrays)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in LAB_LAYERS]
        for name in LAB_LAYERS:
            weighted = name.startswith(("conv", "dense"))
            names = [f"{name}/kernel:0", f"{name}/bias:0"] if weighted else []
            group = file.create_group(name)
            group.attrs["weight_names"] = [weight.encode() for weight in names]
            for weight in names:
                group[weight] = next(left)
    return path


def channels_first(model: keras.Model) -> list[npt.NDArray[np.float32]]:
    """The weights of the network that flattens (64, 12, 12) pictures where ours flattens (12, 12, 64)."""
    arrays: list[npt.NDArray[np.float32]] = model.get_weights()
    arrays[4] = arrays[4].reshape(12, 12, 64, 128).transpose(2, 0, 1, 3).reshape(9216, 128)
    return arrays


@pytest.mark.parametrize("name", ["weights.h5", "model.weights.h5", "odd"])
def test_published_weights_are_read_whatever_the_files_name(
    package: Package, fitted: Fitted, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(package.files[WEIGHTS_FILE])
    assert_same_weights(weights.load(path, "lab"), fitted.model)


def test_published_weights_come_without_the_optimisers_state(package: Package) -> None:
    assert len(package.files[WEIGHTS_FILE]) < 5e6


def test_keras_2_weights_are_read(fitted: Fitted, tmp_path: Path) -> None:
    path = legacy_file(tmp_path / "weights.h5", fitted.model.get_weights())
    assert_same_weights(weights.load(path, "lab"), fitted.model)


def test_the_order_that_reads_digits_is_kept(fitted: Fitted, test: Examples, tmp_path: Path) -> None:
    last = legacy_file(tmp_path / "last.h5", fitted.model.get_weights())
    first = legacy_file(tmp_path / "first.h5", channels_first(fitted.model))
    for path in (last, first):
        assert_same_weights(weights.load_best_order(path, "lab", test), fitted.model)


def write_other_shapes(path: Path) -> None:
    legacy_file(path, [np.zeros(shape[::-1], np.float32) for shape in LAB_SHAPES])


def write_too_few(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"dense"]
        file.create_group("dense").attrs["weight_names"] = []


def write_dangling(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"missing"]


def write_another_network(path: Path) -> None:
    other = path.with_name("other.weights.h5")
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save_weights(other)
    other.rename(path)


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda path: path.unlink(missing_ok=True), id="no-file"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_text("weights"), id="text"),
        pytest.param(lambda path: h5py.File(path, "w").close(), id="no-content"),
        write_other_shapes,
        write_too_few,
        write_dangling,
        write_another_network,
    ],
)
def test_other_files_are_refused(tmp_path: Path, write: Callable[[Path], object]) -> None:
    write(tmp_path / "weights.h5")
    with pytest.raises(InvalidWeightsError, match=r"Expected weights\.h5 to hold weights"):
        weights.load(tmp_path / "weights.h5", "lab")


def test_a_truncated_file_is_refused(package: Package, tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    path.write_bytes(package.files[WEIGHTS_FILE][:-1000])
    with pytest.raises(InvalidWeightsError):
        weights.load(path, "lab")


# The process


def test_the_entry_point_imports_tensorflow_only_for_a_job_that_is_not_over() -> None:
    check = "import sys, training.__main__; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
