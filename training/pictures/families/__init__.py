"""The ways to draw a non-digit, by subject. `training.pictures.non_digits` registers them."""
