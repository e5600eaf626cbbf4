import numpy as np

from training.input import Examples
from training.pictures.damage import damage_examples


def test_damaged_digits_differ_and_keep_their_labels(starter: Examples) -> None:
    damaged = damage_examples(140, 0, starter)
    assert damaged.images.shape == (140, 28, 28)
    assert damaged.images.dtype == np.uint8
    own, other = [], []
    for image, label in zip(damaged.images, damaged.labels, strict=True):
        distances = np.abs(starter.images.astype(float) - image).mean(axis=(1, 2))
        own.append(distances[starter.labels == label].min())
        other.append(distances[starter.labels != label].min())
    assert np.mean(np.greater(own, 0)) > 0.9
    assert np.mean(np.less(own, other)) > 0.6


def test_the_seed_decides_the_damage(starter: Examples) -> None:
    first, again, other = (
        damage_examples(20, seed, starter).images for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_digit_that_serving_would_refuse_is_left_undamaged() -> None:
    blank = Examples(np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.int64))
    assert damage_examples(7, 0, blank).images.shape == (7, 28, 28)
