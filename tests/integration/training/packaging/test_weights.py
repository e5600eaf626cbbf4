"""Weights files of Keras 3 and of Keras 2, and files that hold other things."""

from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import pytest
import tf_keras

from digits.arrays import Floats
from digits.models.manifests import WEIGHTS_FILE
from tests.integration.training.conftest import assert_same_weights
from training.fitting.fit import Fitted
from training.input import Examples
from training.packaging import weights
from training.packaging.package import Package
from training.packaging.weights import InvalidWeightsError

# Keras' own, with this NumPy.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


def legacy_model(arrays: list[Floats]) -> tf_keras.Model:
    """The lab's network in Keras 2, of which tf-keras is the maintained form."""
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            layers.Conv2D(32, 3, activation="relu", input_shape=(28, 28, 1)),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.set_weights(arrays)
    return model


def legacy_file(path: Path, arrays: list[Floats]) -> Path:
    legacy_model(arrays).save_weights(path, save_format="h5")
    return path


def channels_first(model: keras.Model) -> list[Floats]:
    """The weights of a network that flattens (64, 12, 12) maps, and not (12, 12, 64)."""
    arrays: list[Floats] = model.get_weights()
    maps = arrays[4].reshape(12, 12, 64, 128)
    arrays[4] = maps.transpose(2, 0, 1, 3).reshape(9216, 128)
    return arrays


@pytest.mark.parametrize("name", ["weights.h5", "model.weights.h5", "odd"])
def test_published_weights_are_read_whatever_the_files_name(
    package: Package, fitted: Fitted, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(package.files[WEIGHTS_FILE])
    assert_same_weights(weights.load(path, "lab"), fitted.model)


def test_published_weights_lack_the_optimisers_state(package: Package) -> None:
    assert len(package.files[WEIGHTS_FILE]) < 5e6


@pytest.mark.filterwarnings(
    "ignore:You are saving your model as an HDF5 file:UserWarning"
)
@pytest.mark.parametrize("save", ["save_weights", "save"])
def test_keras_2_files_are_read(fitted: Fitted, tmp_path: Path, save: str) -> None:
    path = tmp_path / "weights.h5"
    getattr(legacy_model(fitted.model.get_weights()), save)(path, save_format="h5")
    assert_same_weights(weights.load(path, "lab"), fitted.model)


def test_the_order_that_reads_digits_is_kept(
    fitted: Fitted, test: Examples, tmp_path: Path
) -> None:
    last = legacy_file(tmp_path / "last.h5", fitted.model.get_weights())
    first = legacy_file(tmp_path / "first.h5", channels_first(fitted.model))
    for path in (last, first):
        assert_same_weights(weights.load_best_order(path, "lab", test), fitted.model)


def write_other_shapes(path: Path) -> None:
    tf_keras.Sequential([tf_keras.layers.Dense(3, input_shape=(4,))]).save_weights(
        path, save_format="h5"
    )


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
def test_a_file_without_the_networks_weights_is_refused(
    tmp_path: Path, write: Callable[[Path], object]
) -> None:
    write(tmp_path / "weights.h5")
    with pytest.raises(InvalidWeightsError, match=r"weights\.h5 does not hold weights"):
        weights.load(tmp_path / "weights.h5", "lab")


def test_an_error_without_a_message_is_named_by_its_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(h5py, "File", fail)
    with pytest.raises(InvalidWeightsError, match=r"as HDF5: OSError"):
        weights.load(tmp_path / "weights.h5", "lab")


def test_a_truncated_file_is_refused(package: Package, tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    path.write_bytes(package.files[WEIGHTS_FILE][:-1000])
    with pytest.raises(InvalidWeightsError):
        weights.load(path, "lab")
