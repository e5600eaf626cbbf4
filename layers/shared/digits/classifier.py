"""A loaded model: a 28x28 digit in, ten probabilities out."""

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from digits.errors import DamagedObjectError
from digits.models import MODEL_FILE, Manifest


class Classifier:
    """A LiteRT model that takes raw pixels and gives logits. For one thread at a time.

    Args:
        manifest: says what the model must hash to.
        model: the bytes of its `model.tflite`.

    Raises:
        DamagedObjectError: the bytes are not those of the manifest, or not a model of digits.
    """

    def __init__(self, manifest: Manifest, model: bytes) -> None:
        self.manifest = manifest
        try:
            self._interpreter = Interpreter(model_content=manifest.check(MODEL_FILE, model), num_threads=1)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise DamagedObjectError(f"LiteRT cannot load model {manifest.version}: {error}.") from error
        (pixels,), (logits,) = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if (*pixels["shape"],) != (1, 28, 28) or pixels["dtype"] is not np.uint8 or (*logits["shape"],) != (1, 10):
            raise DamagedObjectError(
                f"Model {manifest.version} does not take 28x28 pixels or does not give ten logits."
            )
        self._input, self._output = pixels["index"], logits["index"]

    def classify(self, digit: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """Probabilities of the ten digits.

        Args:
            digit: (28, 28) uint8, light ink on dark.

        Returns:
            (10,) float64, the softmax of the logits. In floating point, because the steps of an int8 softmax are 1/256.
        """
        self._interpreter.set_tensor(self._input, digit[np.newaxis])
        self._interpreter.invoke()
        logits = self._interpreter.get_tensor(self._output)[0].astype(np.float64)
        weights = np.exp(logits - logits.max())
        return weights / weights.sum()  # type: ignore[no-any-return]
