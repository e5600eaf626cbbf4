"""A PNG as the network takes it, in the lines that tutorials have for it."""

import io
import os

import numpy as np
from PIL import Image

from digits.arrays import Floats

# Without its suffix: `bench.setting.prepare` writes it for Keras and for ONNX Runtime.
MODEL = os.environ.get("MODEL", "")


def pixels(png: bytes) -> Floats:
    """(1, 28, 28, 1), from 0 to 1."""
    image = Image.open(io.BytesIO(png)).convert("L").resize((28, 28))
    return np.asarray(image, np.float32).reshape(1, 28, 28, 1) / 255
