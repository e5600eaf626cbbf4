"""The array types of the code, by element type. Docstrings give shapes and meanings."""

import numpy as np
import numpy.typing as npt

# From 0, black, to 255, white.
Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
