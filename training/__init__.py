"""The training container, the only place that imports TensorFlow."""

import logging
import os

# TensorFlow reads these when it is imported. Errors only: TensorFlow's warnings are for
# TensorFlow's developers.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
logging.getLogger("tensorflow").setLevel(logging.WARNING)
