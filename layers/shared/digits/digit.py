"""The format of a digit for networks and datasets, which is MNIST's: white on black."""

# In pixels.
SIDE = 28
CLASSES = 10
