"""What the functions and the training container share. Never imports TensorFlow."""
