"""Pictures to train and measure with: augmented, damaged, corrupted, rendered, non-digits."""
