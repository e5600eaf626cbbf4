"""A service on BentoML: `bentoml serve bentoml_keras:Digits`."""

from pathlib import Path
from typing import Annotated

import bentoml
import numpy as np
from bentoml.validators import ContentType
from picture import MODEL, pixels


@bentoml.service(workers=2)
class Digits:
    """One image per request."""

    def __init__(self) -> None:
        import tensorflow as tf

        self.model = tf.keras.models.load_model(f"{MODEL}.keras")

    @bentoml.api
    def predict(
        self, image: Annotated[Path, ContentType("image/png")], /
    ) -> dict[str, int]:
        """Read the PNG in the body."""
        answer = self.model(pixels(image.read_bytes()))
        return {"prediction": int(np.argmax(answer[0, :10]))}
