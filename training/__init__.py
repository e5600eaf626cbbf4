"""The training container. TensorFlow lives here only."""

import os

# Before TensorFlow is imported, or it is too late: warnings and errors only, and no guess about the backend.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
