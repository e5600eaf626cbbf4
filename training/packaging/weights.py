"""Weights files: written as Keras 3 does, read also in the HDF5 layout of Keras 2, as the lab's weights.h5 has it."""

import tempfile
from pathlib import Path

import h5py
import keras
import numpy as np

from digits.arrays import Floats
from digits.errors import DigitsError
from training import networks
from training.evaluation.answers import evaluate, keras_answers
from training.input import Examples

Arrays = list[Floats]


class InvalidWeightsError(DigitsError):
    """A file does not hold the weights of the network that was asked for."""

    slug = "invalid-weights"
    title = "Invalid weights"


def dump(model: keras.Model, architecture: str) -> bytes:
    """The weights of a model as a Keras 3 `.weights.h5` file."""
    # Keras would write the optimiser's state too, twice the size of the weights.
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
        with h5py.File(path) as file:
            # Keras 2's `model.save` puts the weights in a group of their own.
            root = file.get("model_weights", file)
            legacy = _read_legacy(root) if "layer_names" in root.attrs else None
        if legacy is None:
            _load_keras_3(model, path)
        else:
            model.set_weights(legacy)
    except (OSError, KeyError, TypeError, ValueError) as error:
        reason, *_ = str(error).splitlines() or [type(error).__name__]
        raise InvalidWeightsError(
            f"Expected {path.name} to hold weights of the network {architecture!r}, as HDF5. {reason}"
        ) from error
    return model


def load_best_order(path: Path, architecture: str, examples: Examples) -> keras.Model:
    """`load`, and mend weights that were trained channels-first, as the lab's were.

    Such a network flattens its last picture in another order. The file does not say so;
    the examples show it. There are none of other networks.

    Raises:
        InvalidWeightsError: as `load`.
    """
    model = load(path, architecture)
    if architecture != "lab":
        return model
    reordered = load(path, architecture)
    _from_channels_first(reordered)
    return max(model, reordered, key=lambda candidate: _accuracy(candidate, examples))


def _load_keras_3(model: keras.Model, path: Path) -> None:
    # Keras knows the layout by the file's name.
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "model.weights.h5"
        link.symlink_to(path.resolve())
        model.load_weights(link)


def _read_legacy(file: h5py.Group) -> Arrays:
    """The arrays of each layer, in Keras 2's order: https://keras.io/api/models/model_saving_apis/."""
    layers = [file[name] for name in _names(file, "layer_names")]
    return [
        np.asarray(layer[name], np.float32)
        for layer in layers
        for name in _names(layer, "weight_names")
    ]


def _names(group: h5py.Group, attribute: str) -> list[str]:
    return [
        name.decode() if isinstance(name, bytes) else name
        for name in group.attrs[attribute]
    ]


def _from_channels_first(model: keras.Model) -> None:
    """Reorder the rows of the first dense layer from (channel, row, column) to (row, column, channel)."""
    height, width, channels = model.get_layer("flatten").input.shape[1:]
    dense = model.get_layer("dense")
    kernel, bias = dense.get_weights()
    reordered = (
        kernel.reshape(channels, height, width, -1)
        .transpose(1, 2, 0, 3)
        .reshape(kernel.shape)
    )
    dense.set_weights([reordered, bias])


def _accuracy(model: keras.Model, examples: Examples) -> float:
    return evaluate(
        keras_answers(model, examples.images).logits, examples.labels
    ).accuracy
