"""A Lambda handler in the way of AWS' start template for TensorFlow: the saved model, called at each event."""

import base64
import json
import os
from typing import Any

import numpy as np
import tensorflow as tf
from picture import MODEL, pixels

model = tf.keras.models.load_model(f"{MODEL}.keras")
# `model(x)`, as Keras' documentation has it for single images, or `model.predict(x)`.
ask = model.predict if os.environ.get("CALL") == "predict" else model


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """One image, one answer."""
    answer = ask(pixels(base64.b64decode(event["body"])))
    return {
        "statusCode": 200,
        "body": json.dumps({"prediction": int(np.argmax(answer[0, :10]))}),
    }
