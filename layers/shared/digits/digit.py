"""What a digit is to networks and datasets: MNIST's, white on black."""

# Pixels.
SIDE = 28
CLASSES = 10
