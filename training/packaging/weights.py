"""Weights files: written in the layout of Keras 3, and read in that of Keras 2, too."""

import tempfile
from pathlib import Path

import h5py
import keras
import numpy as np

from digits.arrays import Floats
from digits.errors import DigitsError
from training import networks
from training.evaluation.predictions import evaluate, keras_predictions
from training.input import Examples

Arrays = list[Floats]


class InvalidWeightsError(DigitsError):
    """A file does not hold the weights of the network that was asked for."""

    slug = "invalid-weights"
    title = "Invalid weights"


def dump(model: keras.Model, architecture: str) -> bytes:
    """The weights of a model as a Keras 3 `.weights.h5` file."""
    # A model that was fitted would add its optimiser's state, twice the size of the weights.
    bare = networks.build(architecture)
    bare.set_weights(model.get_weights())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.weights.h5"
        bare.save_weights(path)
        return path.read_bytes()


def load(path: Path, architecture: str) -> keras.Model:
    """The network with the weights of a file, whatever the file's name.

    Raises:
        InvalidWeightsError: the file cannot be read, or holds another network's weights.
    """
    model = networks.build(architecture)
    try:
        legacy = _read_legacy(path)
        if legacy is None:
            _load_keras_3(model, path)
        else:
            model.set_weights(legacy)
    except (OSError, KeyError, TypeError, ValueError) as error:
        lines = str(error).splitlines()
        reason = lines[0] if lines else type(error).__name__
        raise InvalidWeightsError(
            f"{path.name} does not hold weights of the network {architecture!r}, as HDF5: {reason}"
        ) from error
    return model


def load_best_order(path: Path, architecture: str, examples: Examples) -> keras.Model:
    """`load`, and repair weights that were trained channels-first, as the lab's were.

    Such a network flattens its last feature maps in another order. The file does not
    say so, but the examples show which order reads digits. Only the lab's network was
    ever trained channels-first.

    Raises:
        InvalidWeightsError: as `load`.
    """
    model = load(path, architecture)
    if architecture != "lab":
        return model
    reordered = load(path, architecture)
    _reorder_channels_first(reordered)
    if _accuracy(reordered, examples) > _accuracy(model, examples):
        return reordered
    return model


def _load_keras_3(model: keras.Model, path: Path) -> None:
    # Keras tells the layout by the file's name.
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "model.weights.h5"
        link.symlink_to(path.resolve())
        model.load_weights(link)


def _read_legacy(path: Path) -> Arrays | None:
    """The arrays of all layers in the order of Keras 2; None if the file has another layout.

    https://keras.io/api/models/model_saving_apis/
    """
    with h5py.File(path) as file:
        # Keras 2's `model.save` puts the weights in a group of their own.
        root = file.get("model_weights", file)
        if "layer_names" not in root.attrs:
            return None
        arrays = []
        for layer_name in _read_names(root, "layer_names"):
            layer = root[layer_name]
            weight_names = _read_names(layer, "weight_names")
            arrays += [np.asarray(layer[name], np.float32) for name in weight_names]
        return arrays


def _read_names(group: h5py.Group, attribute: str) -> list[str]:
    """An attribute's names, which h5py gives as str or as bytes."""
    encoded = np.asarray(group.attrs[attribute], np.bytes_)
    names: list[str] = np.char.decode(encoded).tolist()
    return names


def _reorder_channels_first(model: keras.Model) -> None:
    """Reorder the first dense layer from (channel, row, column) to (row, column, channel)."""
    height, width, channels = model.get_layer("flatten").input.shape[1:]
    dense = model.get_layer("dense")
    kernel, bias = dense.get_weights()
    maps = kernel.reshape(channels, height, width, -1)
    reordered = maps.transpose(1, 2, 0, 3).reshape(kernel.shape)
    dense.set_weights([reordered, bias])


def _accuracy(model: keras.Model, examples: Examples) -> float:
    predictions = keras_predictions(model, examples.images)
    return evaluate(predictions.logits, examples.labels).accuracy
