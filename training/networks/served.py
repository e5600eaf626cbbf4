"""Networks as they are served: raw pixels in, logits and a score out."""

import keras
from keras import layers

from digits.digit import CLASSES, SIDE


def served(model: keras.Model, batch_size: int | None = None) -> keras.Model:
    """A network that takes raw pixels, so that no caller can forget to scale pixels.

    The score is the best digit's logit, less the eleventh logit where there is one:
    how much likelier the best digit is than a non-digit. Without an eleventh logit, the
    score is the maximum logit (Hendrycks et al., "Scaling Out-of-Distribution Detection
    for Real-World Settings", 2022).

    Args:
        model: a network of this package.
        batch_size: fixes the first dimension.

    Returns:
        A model that takes (n, 28, 28) uint8 pixels and gives `logits`, (n, 10), and
        `score`, (n, 1), both float32.
    """
    pixels = keras.Input(
        (SIDE, SIDE), batch_size=batch_size, dtype="uint8", name="pixels"
    )
    scaled = layers.Rescaling(1 / 255, name="scale")(pixels)
    image = layers.Reshape((SIDE, SIDE, 1), name="image")(scaled)
    answer = model(image)
    logits = answer[:, :CLASSES]
    score = keras.ops.max(logits, axis=1, keepdims=True)
    if answer.shape[1] > CLASSES:
        score -= answer[:, CLASSES:]
    return keras.Model(pixels, {"logits": logits, "score": score}, name="served")


def soften(model: keras.Model, temperature: float) -> None:
    """Divide a network's logits by a temperature, in the weights of the last layer."""
    last = model.layers[-1]
    softened = [weights / temperature for weights in last.get_weights()]
    last.set_weights(softened)
