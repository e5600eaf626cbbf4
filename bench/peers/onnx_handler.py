"""A Lambda handler on ONNX Runtime."""

import base64
import json
from typing import Any

import numpy as np
import onnxruntime
from picture import MODEL, pixels

session = onnxruntime.InferenceSession(
    f"{MODEL}.onnx", providers=["CPUExecutionProvider"]
)
name = session.get_inputs()[0].name


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Read one image."""
    images = pixels(base64.b64decode(event["body"]))
    (answer,) = session.run(None, {name: images})
    prediction = int(np.argmax(answer[0, :10]))
    return {"statusCode": 200, "body": json.dumps({"prediction": prediction})}
