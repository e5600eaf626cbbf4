"""What a network is fitted to: a dataset's examples, and those that its recipe adds."""

import numpy as np

from digits.digit import CLASSES
from training.fitting.objective import make_targets
from training.input import Examples, TargetedImages
from training.networks.network import Recipe
from training.pictures import non_digits
from training.pictures.damage import damage_examples
from training.pictures.variants import render_examples


def make_training_set(examples: Examples, recipe: Recipe, seed: int) -> TargetedImages:
    """Add rendered digits, damaged digits and non-digits to examples.

    Args:
        examples: at least one.
        recipe: says how many images of each kind are added.
        seed: the same seed gives the same images.
    """
    parts = [_label(examples)]
    count = round(recipe.rendered * len(examples))
    if count:
        parts.append(_label(render_examples(count, seed, examples)))
    count = round(recipe.damaged * len(examples))
    if count:
        digits = damage_examples(count, seed, examples)
        targets = make_targets(digits.labels, is_damaged=True)
        parts.append(TargetedImages(digits.images, targets))
    count = round(recipe.negatives * len(examples))
    if count:
        images = non_digits.draw_fitted(count, seed, examples.images)
        targets = make_targets(np.full(count, CLASSES))
        parts.append(TargetedImages(images, targets))
    return TargetedImages(
        images=np.concatenate([part.images for part in parts]),
        targets=np.concatenate([part.targets for part in parts]),
    )


def make_validation_set(examples: Examples) -> TargetedImages:
    """The examples alone, so that validation measures what the dataset has."""
    return _label(examples)


def _label(examples: Examples) -> TargetedImages:
    return TargetedImages(examples.images, make_targets(examples.labels))
