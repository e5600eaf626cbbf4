"""Writes a saved Keras model for ONNX Runtime, in .venv/bench.

python export_onnx.py MODEL.keras MODEL.onnx
"""

import sys

import keras
import numpy as np

model = keras.models.load_model(sys.argv[1])
model(np.zeros((1, 28, 28, 1), np.float32))
model.export(sys.argv[2], format="onnx", verbose=False)
