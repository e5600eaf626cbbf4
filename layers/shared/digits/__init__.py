"""What the functions and the training container share. Never imports TensorFlow."""

__version__ = "0.1.0"
