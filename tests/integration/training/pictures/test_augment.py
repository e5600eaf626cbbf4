import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from digits.arrays import Floats
from training.input import Examples, scale
from training.pictures import augment

STRENGTHS = ("TURN", "STRETCH", "SHEAR", "SHIFT", "BEND", "WEIGHT", "DIRT")


def changed(examples: Examples, seed: int = 0) -> Floats:
    images: Floats = augment.augment(
        scale(examples.images), tf.constant([seed, 0])
    ).numpy()
    return images


def only(monkeypatch: pytest.MonkeyPatch, **strengths: float) -> None:
    """Change nothing but what is given."""
    for name in STRENGTHS:
        monkeypatch.setattr(augment, name, strengths.get(name, 0.0))


def test_changed_images_are_images(test: Examples) -> None:
    images = changed(test)
    assert images.shape == (len(test), 28, 28, 1)
    assert images.dtype == np.float32
    assert 0 <= images.min() < images.max() <= 1


def test_the_same_seed_changes_alike_and_another_does_not(test: Examples) -> None:
    np.testing.assert_array_equal(changed(test), changed(test))
    assert not np.array_equal(changed(test), changed(test, seed=1))


def test_without_strength_nothing_changes(
    test: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch)
    np.testing.assert_allclose(changed(test)[..., 0], test.images / 255, atol=1e-5)


def test_each_image_is_changed_in_its_own_way(test: Examples) -> None:
    copies = Examples(
        np.repeat(test.images[:1], 50, axis=0), np.repeat(test.labels[:1], 50)
    )
    assert len({image.tobytes() for image in changed(copies)}) == 50


@pytest.mark.parametrize("strength", [0.5, -0.5])
def test_a_turn_is_clockwise(
    test: Examples, monkeypatch: pytest.MonkeyPatch, strength: float
) -> None:
    only(monkeypatch, TURN=strength)
    monkeypatch.setattr(
        tf.random, "stateless_uniform", lambda shape, *_: tf.ones(shape)
    )
    for image, digit in zip(changed(test)[:20, ..., 0], test.images, strict=False):
        turned = Image.fromarray(digit).rotate(
            -np.degrees(strength), Image.Resampling.BILINEAR
        )
        # At the edge Pillow has a way of its own.
        np.testing.assert_allclose(
            image[4:-4, 4:-4], np.asarray(turned)[4:-4, 4:-4] / 255, atol=0.02
        )


@pytest.mark.parametrize(
    ("share", "compare"), [(1.0, np.greater_equal), (-1.0, np.less_equal)]
)
def test_strokes_get_bolder_or_finer(
    test: Examples, monkeypatch: pytest.MonkeyPatch, share: float, compare: np.ufunc
) -> None:
    only(monkeypatch, WEIGHT=share)
    monkeypatch.setattr(
        tf.random, "stateless_uniform", lambda shape, *_: tf.ones(shape)
    )
    images = changed(test)[..., 0]
    assert compare(
        images, test.images / np.float32(255) + np.float32(1e-4 * np.sign(-share))
    ).all()
    assert not np.allclose(images, test.images / 255, atol=0.1)
