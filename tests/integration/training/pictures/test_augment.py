import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from digits.arrays import Floats
from training.input import Examples, scale
from training.pictures import augment

STRENGTHS = ("TURN", "STRETCH", "SHEAR", "SHIFT", "BEND", "WEIGHT", "NOISE")


def augmented(examples: Examples, seed: int = 0) -> Floats:
    seeds = tf.constant([seed, 0])
    images: Floats = augment.augment(scale(examples.images), seeds).numpy()
    return images


def set_strengths(monkeypatch: pytest.MonkeyPatch, **strengths: float) -> None:
    """Set the strengths of the changes, all others to 0."""
    for name in STRENGTHS:
        monkeypatch.setattr(augment, name, strengths.get(name, 0.0))


def draw_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        tf.random, "stateless_uniform", lambda shape, *_: tf.ones(shape)
    )


def test_augmented_images_are_images(test: Examples) -> None:
    images = augmented(test)
    assert images.shape == (len(test), 28, 28, 1)
    assert images.dtype == np.float32
    assert 0 <= images.min() < images.max() <= 1


def test_the_seed_decides_the_changes(test: Examples) -> None:
    np.testing.assert_array_equal(augmented(test), augmented(test))
    assert not np.array_equal(augmented(test), augmented(test, seed=1))


def test_without_strength_nothing_changes(
    test: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_strengths(monkeypatch)
    np.testing.assert_allclose(augmented(test)[..., 0], test.images / 255, atol=1e-5)


def test_each_image_is_changed_in_its_own_way(test: Examples) -> None:
    images = np.repeat(test.images[:1], 50, axis=0)
    copies = Examples(images, np.repeat(test.labels[:1], 50))
    assert len({image.tobytes() for image in augmented(copies)}) == 50


@pytest.mark.parametrize("strength", [0.5, -0.5])
def test_a_turn_is_clockwise(
    test: Examples, monkeypatch: pytest.MonkeyPatch, strength: float
) -> None:
    set_strengths(monkeypatch, TURN=strength)
    draw_the_largest(monkeypatch)
    degrees = -np.degrees(strength)
    for image, digit in zip(augmented(test)[:20, ..., 0], test.images, strict=False):
        turned = Image.fromarray(digit).rotate(degrees, Image.Resampling.BILINEAR)
        expected = np.asarray(turned) / 255
        # Pillow interpolates differently at the edge.
        inside = slice(4, -4), slice(4, -4)
        np.testing.assert_allclose(image[inside], expected[inside], atol=0.02)


@pytest.mark.parametrize(
    ("share", "compare"), [(1.0, np.greater_equal), (-1.0, np.less_equal)]
)
def test_strokes_get_bolder_or_finer(
    test: Examples, monkeypatch: pytest.MonkeyPatch, share: float, compare: np.ufunc
) -> None:
    set_strengths(monkeypatch, WEIGHT=share)
    draw_the_largest(monkeypatch)
    images = augmented(test)[..., 0]
    original = test.images / np.float32(255)
    # Interpolation loses a little.
    tolerance = np.float32(1e-4 * np.sign(-share))
    assert compare(images, original + tolerance).all()
    assert not np.allclose(images, original, atol=0.1)
