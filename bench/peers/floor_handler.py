"""The floor: a handler on LiteRT that decodes, invokes and writes JSON, and does nothing else."""

import base64
import io
import json
import os
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

interpreter = Interpreter(os.environ["LITERT_MODEL"], num_threads=1)
interpreter.allocate_tensors()
pixels = interpreter.get_input_details()[0]["index"]
outputs = interpreter.get_output_details()
(logits,) = [output["index"] for output in outputs if output["shape"][-1] > 1]


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Read one image."""
    png = io.BytesIO(base64.b64decode(event["body"]))
    image = Image.open(png, formats=("PNG",)).convert("L").resize((28, 28))
    interpreter.set_tensor(pixels, np.asarray(image)[np.newaxis])
    interpreter.invoke()
    answer = interpreter.get_tensor(logits)[0]
    weights = np.exp(answer - answer.max())
    probabilities = weights / weights.sum()
    prediction = int(answer.argmax())
    body = {"prediction": prediction, "probabilities": probabilities.tolist()}
    return {"statusCode": 200, "body": json.dumps(body)}
