"""A Lambda handler like AWS' start template for TensorFlow: each event calls the saved model."""

import base64
import json
import os
from typing import Any

import numpy as np
import tensorflow as tf
from picture import MODEL, pixels

model = tf.keras.models.load_model(f"{MODEL}.keras")
# `model(x)`, which Keras' documentation recommends for single images, or `model.predict(x)`.
call = model.predict if os.environ.get("CALL") == "predict" else model


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Read one image."""
    images = pixels(base64.b64decode(event["body"]))
    prediction = int(np.argmax(call(images)[0, :10]))
    return {"statusCode": 200, "body": json.dumps({"prediction": prediction})}
