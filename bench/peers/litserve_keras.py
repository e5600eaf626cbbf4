"""A service on LitServe: `python litserve_keras.py PORT`."""

import base64
import sys

import litserve
import numpy as np
from picture import MODEL, Floats, pixels


class Digits(litserve.LitAPI):
    """One image per request."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Load TensorFlow in the worker, because TensorFlow does not survive a fork."""
        import tensorflow as tf

        self.model = tf.keras.models.load_model(f"{MODEL}.keras")

    def decode_request(self, request: dict[str, str]) -> Floats:
        """Decode the member `image`, a PNG in base64. LitServe reads only JSON and forms."""
        return pixels(base64.b64decode(request["image"]))

    def predict(self, images: Floats) -> int:
        """Read the digit."""
        return int(np.argmax(self.model(images)[0, :10]))

    def encode_response(self, digit: int) -> dict[str, int]:
        """Write JSON."""
        return {"prediction": digit}


if __name__ == "__main__":
    server = litserve.LitServer(Digits(), accelerator="cpu", workers_per_device=2)
    server.run(port=int(sys.argv[1]), generate_client_file=False)
