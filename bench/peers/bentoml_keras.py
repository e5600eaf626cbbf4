"""A service on BentoML: `bentoml serve bentoml_keras:Digits`."""

from pathlib import Path
from typing import Annotated

import bentoml
import numpy as np
from bentoml.validators import ContentType
from picture import MODEL, pixels


@bentoml.service(workers=2)
class Digits:
    """One image a request."""

    def __init__(self) -> None:
        import tensorflow as tf

        self.model = tf.keras.models.load_model(f"{MODEL}.keras")

    @bentoml.api
    def predict(
        self, image: Annotated[Path, ContentType("image/png")], /
    ) -> dict[str, int]:
        """A PNG in the body."""
        return {
            "prediction": int(np.argmax(self.model(pixels(image.read_bytes()))[0, :10]))
        }
