"""An exported model: a 28x28 digit in, ten logits and a score out."""

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from digits.arrays import Floats, Pixels
from digits.digit import CLASSES, SIDE

_INPUT_SHAPE = (1, SIDE, SIDE)
_LOGITS_SHAPE = (1, CLASSES)
_SCORE_SHAPE = (1, 1)


class LiteRT:
    """A model in LiteRT's format, on one core, for one thread at a time.

    Args:
        model: the bytes of a `model.tflite`.

    Raises:
        ValueError: LiteRT cannot load the model, or the model has other inputs or outputs.
    """

    def __init__(self, model: bytes) -> None:
        try:
            self._interpreter = Interpreter(model_content=model, num_threads=1)
            self._interpreter.allocate_tensors()
        except RuntimeError as error:
            raise ValueError(str(error)) from error
        inputs = self._interpreter.get_input_details()
        shapes = [(tuple(tensor["shape"]), tensor["dtype"]) for tensor in inputs]
        # By shape, because the converter chooses the order of the outputs.
        outputs = {}
        for tensor in self._interpreter.get_output_details():
            outputs[tuple(tensor["shape"])] = tensor["index"]
        is_expected = shapes == [(_INPUT_SHAPE, np.uint8)]
        if not is_expected or outputs.keys() != {_LOGITS_SHAPE, _SCORE_SHAPE}:
            raise ValueError(
                "the model does not take 28x28 pixels, or does not give ten logits and a score"
            )
        self._input = inputs[0]["index"]
        self._logits = outputs[_LOGITS_SHAPE]
        self._score = outputs[_SCORE_SHAPE]

    def predict(self, digit: Pixels) -> tuple[Floats, float]:
        """Run the model.

        Args:
            digit: white on black, uint8 of shape (28, 28).

        Returns:
            The logits, float32 of shape (10,), and the score: the higher, the more
            digit-like the image.
        """
        self._interpreter.set_tensor(self._input, digit[np.newaxis])
        self._interpreter.invoke()
        logits: Floats = self._interpreter.get_tensor(self._logits)[0]
        score = self._interpreter.get_tensor(self._score)[0, 0]
        return logits, float(score)
