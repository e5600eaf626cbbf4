"""Code that the functions and the training container share, without TensorFlow."""

__version__ = "0.1.0"
