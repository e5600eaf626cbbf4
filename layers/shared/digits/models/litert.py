"""An exported model: a 28x28 digit in, ten logits and a score out."""

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from digits.arrays import Floats, Pixels
from digits.digit import CLASSES, SIDE


class LiteRT:
    """A model in LiteRT's format, on one core. For one thread at a time.

    Args:
        model: the bytes of a `model.tflite`.

    Raises:
        ValueError: LiteRT cannot load them, or the model takes or gives something else.
    """

    def __init__(self, model: bytes) -> None:
        try:
            self._interpreter = Interpreter(model_content=model, num_threads=1)
            self._interpreter.allocate_tensors()
        except RuntimeError as error:
            raise ValueError(str(error)) from error
        inputs, outputs = (
            self._interpreter.get_input_details(),
            self._interpreter.get_output_details(),
        )
        # By shape: the order of the outputs is the converter's choice.
        found = {(*tensor["shape"],): tensor["index"] for tensor in outputs}
        expected_input = [((1, SIDE, SIDE), np.uint8)]
        if [
            ((*tensor["shape"],), tensor["dtype"]) for tensor in inputs
        ] != expected_input or found.keys() != {
            (1, CLASSES),
            (1, 1),
        }:
            raise ValueError(
                "it does not take 28x28 pixels, or does not give ten logits and a score"
            )
        self._input, self._logits, self._score = (
            inputs[0]["index"],
            found[1, CLASSES],
            found[1, 1],
        )

    def answer(self, digit: Pixels) -> tuple[Floats, float]:
        """What the model makes of an image.

        Args:
            digit: (28, 28) uint8, light ink on dark.

        Returns:
            The logits, (10,) float32, and the score: the higher, the more the image
            looks like a digit.
        """
        self._interpreter.set_tensor(self._input, digit[np.newaxis])
        self._interpreter.invoke()
        logits: Floats = self._interpreter.get_tensor(self._logits)[0]
        return logits, float(self._interpreter.get_tensor(self._score)[0, 0])
