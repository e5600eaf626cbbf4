"""Pictures to train and to measure with: augmented, damaged, as people send them, and of no digits."""
