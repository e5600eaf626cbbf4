"""The networks that can be trained, and how they are served.

Each takes pixels in [0, 1], (n, 28, 28, 1) float32, and gives a logit for each digit
and, if it has learnt that, an eleventh for what is none of them.
"""

from collections.abc import Callable

import keras
from keras import layers

from digits.digit import CLASSES, SIDE
from digits.errors import InvalidParameterError


def build(architecture: str) -> keras.Model:
    """A network with fresh weights, drawn from Keras' global seed.

    Raises:
        InvalidParameterError: there is no such architecture.
    """
    try:
        return _ARCHITECTURES[architecture]()
    except KeyError as error:
        raise InvalidParameterError(
            f"Expected architecture to be one of {', '.join(_ARCHITECTURES)}. Received {architecture!r}."
        ) from error


def served(model: keras.Model, batch_size: int | None = None) -> keras.Model:
    """A network as it is asked: raw pixels in, so that no caller can forget to scale them.

    The score is the best digit's logit, less the eleventh if there is one: how much
    likelier a digit is than none, or without the eleventh the maximum logit (Hendrycks
    et al., "Scaling Out-of-Distribution Detection for Real-World Settings", 2022).

    Args:
        model: a network of this module.
        batch_size: fixes the first dimension.

    Returns:
        A model that takes (n, 28, 28) uint8 pixels and gives `logits`, (n, 10), and
        `score`, (n, 1), both float32.
    """
    pixels = keras.Input(
        (SIDE, SIDE), batch_size=batch_size, dtype="uint8", name="pixels"
    )
    scaled = layers.Rescaling(1 / 255, name="scale")(pixels)
    answer = model(layers.Reshape((SIDE, SIDE, 1), name="image")(scaled))
    logits = answer[:, :CLASSES]
    score = keras.ops.max(logits, axis=1, keepdims=True)
    if answer.shape[1] > CLASSES:
        score -= answer[:, CLASSES:]
    return keras.Model(pixels, {"logits": logits, "score": score}, name="served")


def soften(model: keras.Model, temperature: float) -> None:
    """Divide what a network gives by a temperature, in its last layer's weights."""
    last = model.layers[-1]
    last.set_weights([weights / temperature for weights in last.get_weights()])


def _lab() -> keras.Model:
    """The lab's CNN. Its softmax is left to the loss and to the caller, which is the same to the last weight."""
    # Names of their own: Keras' automatic ones count up in a process, and would make
    # equal exports differ.
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1), name="image"),
            layers.Conv2D(32, 3, activation="relu", name="conv_1"),
            layers.Conv2D(64, 3, activation="relu", name="conv_2"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Dropout(0.25, name="dropout_1"),
            layers.Flatten(name="flatten"),
            layers.Dense(128, activation="relu", name="dense"),
            layers.Dropout(0.5, name="dropout_2"),
            layers.Dense(CLASSES, name="logits"),
        ],
        name="lab",
    )


def _lite() -> keras.Model:
    """Six convolutions with batch normalisation: fewer multiply-adds than the lab's CNN, a quarter of its weights."""
    image = keras.Input((SIDE, SIDE, 1), name="image")
    x = image
    for number, (channels, kernel, stride) in enumerate(_LITE, start=1):
        x = layers.Conv2D(
            channels, kernel, stride, use_bias=False, name=f"conv_{number}"
        )(x)
        x = layers.BatchNormalization(name=f"norm_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
    x = layers.Dropout(0.3, name="dropout")(layers.Flatten(name="flatten")(x))
    return keras.Model(image, layers.Dense(CLASSES + 1, name="logits")(x), name="lite")


# Channels, side of the kernel, stride.
_LITE = [(24, 3, 1), (48, 3, 2), (64, 3, 1), (64, 3, 1), (128, 3, 1), (128, 3, 1)]
_ARCHITECTURES: dict[str, Callable[[], keras.Model]] = {"lab": _lab, "lite": _lite}
