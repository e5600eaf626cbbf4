"""A PNG becomes the digit that a network sees."""
