"""A service on FastAPI: `uvicorn fastapi_keras:app`."""

import numpy as np
import tensorflow as tf
from fastapi import FastAPI, Request
from picture import MODEL, pixels

model = tf.keras.models.load_model(f"{MODEL}.keras")
app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> dict[str, int]:
    """Read the PNG in the body."""
    answer = model(pixels(await request.body()))
    return {"prediction": int(np.argmax(answer[0, :10]))}
