"""Pictures to train and to measure with: augmented, damaged, corrupted, rendered, and non-digits."""
