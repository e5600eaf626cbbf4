"""The conversion of a PNG for the network, as tutorials write it."""

import io
import os

import numpy as np
import numpy.typing as npt
from PIL import Image

# The peers run without `digits.arrays`.
Floats = npt.NDArray[np.float32]
# The path without a suffix: `bench.setting.prepare` writes the model for Keras and ONNX Runtime.
MODEL = os.environ.get("MODEL", "")


def pixels(png: bytes) -> Floats:
    """The image as (1, 28, 28, 1) float32 in [0, 1]."""
    image = Image.open(io.BytesIO(png)).convert("L").resize((28, 28))
    return np.asarray(image, np.float32).reshape(1, 28, 28, 1) / 255
