"""The networks that can be trained: a module per architecture of `digits.architectures`.

Each network takes pixels in [0, 1], (n, 28, 28, 1) float32, and gives a logit per digit.
A network that has learnt what a non-digit is gives an eleventh logit for non-digits.
"""

import math

import keras

from digits.architectures import ARCHITECTURES
from digits.errors import InvalidParameterError
from training.networks import lab, lite
from training.networks.network import Network
from training.networks.served import served, soften

__all__ = [
    "NETWORKS",
    "Network",
    "build",
    "check_agreement",
    "find_network",
    "served",
    "soften",
]

NETWORKS = {
    "lab": Network(lab.build, lab.RECIPE),
    "lite": Network(lite.build, lite.RECIPE),
}


def find_network(architecture: str) -> Network:
    """The network of an architecture.

    Raises:
        InvalidParameterError: there is no such architecture.
    """
    if architecture not in NETWORKS:
        names = ", ".join(NETWORKS)
        raise InvalidParameterError(
            f"There is no architecture {architecture!r}. Use one of: {names}."
        )
    return NETWORKS[architecture]


def build(architecture: str) -> keras.Model:
    """A network with fresh weights, drawn from Keras' global seed.

    Raises:
        InvalidParameterError: there is no such architecture.
    """
    return find_network(architecture).build()


def check_agreement() -> None:
    """Compare the networks with the architectures that callers can ask for.

    Raises:
        RuntimeError: an architecture lacks one of its two parts, or the parts contradict.
    """
    without_network = sorted(ARCHITECTURES.keys() - NETWORKS.keys())
    if without_network:
        raise RuntimeError(f"NETWORKS in training/networks lacks {without_network}.")
    without_entry = sorted(NETWORKS.keys() - ARCHITECTURES.keys())
    if without_entry:
        raise RuntimeError(f"digits/architectures.py lacks {without_entry}.")
    for name, network in NETWORKS.items():
        shown = network.recipe.examples_shown
        if not math.isclose(shown, ARCHITECTURES[name].examples_shown):
            raise RuntimeError(
                f"The recipe of {name} shows {shown} examples per example of the dataset."
                f" Write {shown} as its examples_shown in digits/architectures.py."
            )


check_agreement()
