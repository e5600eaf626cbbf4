import numpy as np

from training.input import Examples
from training.pictures.damage import damaged


def test_damaged_digits_differ_and_keep_their_labels(starter: Examples) -> None:
    found = damaged(140, 0, starter)
    assert (found.images.shape, found.images.dtype.name) == ((140, 28, 28), "uint8")
    to_label, to_others = [], []
    for image, label in zip(found.images, found.labels, strict=True):
        distances = np.abs(starter.images.astype(float) - image).mean(axis=(1, 2))
        to_label.append(distances[starter.labels == label].min())
        to_others.append(distances[starter.labels != label].min())
    assert np.mean(np.greater(to_label, 0)) > 0.9
    assert np.mean(np.less(to_label, to_others)) > 0.6


def test_the_same_seed_damages_the_same_and_another_does_not(starter: Examples) -> None:
    first, again, other = (damaged(20, seed, starter).images for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_digit_that_is_not_found_again_is_left_whole() -> None:
    blank = Examples(np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.int64))
    assert damaged(7, 0, blank).images.shape == (7, 28, 28)
