"""A service on LitServe: `python litserve_keras.py PORT`."""

import base64
import sys

import litserve
import numpy as np
from picture import MODEL, pixels

from digits.arrays import Floats


class Digits(litserve.LitAPI):
    """One image a request."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """In the worker: TensorFlow would not survive the fork."""
        import tensorflow as tf

        self.model = tf.keras.models.load_model(f"{MODEL}.keras")

    def decode_request(self, request: dict[str, str]) -> Floats:
        """JSON: a PNG in base64, under `image`. LitServe reads no other bodies but forms."""
        return pixels(base64.b64decode(request["image"]))

    def predict(self, images: Floats) -> int:
        """The digit."""
        return int(np.argmax(self.model(images)[0, :10]))

    def encode_response(self, digit: int) -> dict[str, int]:
        """JSON."""
        return {"prediction": digit}


if __name__ == "__main__":
    server = litserve.LitServer(Digits(), accelerator="cpu", workers_per_device=2)
    server.run(port=int(sys.argv[1]), generate_client_file=False)
