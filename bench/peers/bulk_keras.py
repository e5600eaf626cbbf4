"""Keras, in batches."""

import keras
import numpy as np
from bulk import print_seconds
from picture import MODEL

from digits.arrays import Pixels

# About 40 batches of the images that `bench.bulk` asks for.
BATCH_SIZE = 512

model = keras.models.load_model(f"{MODEL}.keras")


def classify(images: Pixels) -> None:
    """Classify all images."""
    scaled = images[..., np.newaxis] / np.float32(255)
    model.predict(scaled, batch_size=BATCH_SIZE, verbose=0)


print_seconds(classify)
