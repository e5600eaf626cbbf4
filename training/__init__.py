"""The training container. TensorFlow lives here only."""

import logging
import os

# Before TensorFlow is imported, or it is too late. Errors only: its warnings are for
# its own developers.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
logging.getLogger("tensorflow").setLevel(logging.WARNING)
