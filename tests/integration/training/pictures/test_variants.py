import io

import numpy as np
import pytest
from PIL import Image

from digits.imaging.png import MAX_BYTES
from training.input import Examples
from training.pictures.variants import KINDS, LOWEST, SIDES, render, rendered


@pytest.mark.parametrize("kind", KINDS)
def test_images_are_of_many_sizes_within_the_limits(
    kind: str, starter: Examples
) -> None:
    sizes = []
    for seed, digit in enumerate(starter.images[:20]):
        data = render(kind, digit, np.random.default_rng(seed))
        assert len(data) <= MAX_BYTES
        sizes.append(max(Image.open(io.BytesIO(data)).size))
    assert LOWEST <= min(sizes) < 150
    assert 500 < max(sizes) <= SIDES[1]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_renders_the_same_and_another_does_not(
    kind: str, starter: Examples
) -> None:
    first, again, other = (
        render(kind, starter.images[0], np.random.default_rng(seed))
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_rendered_examples_are_found_again_with_their_labels(starter: Examples) -> None:
    found = rendered(48, 0, starter)
    assert 40 < len(found) <= 48
    assert (found.images.shape[1:], found.images.dtype.name) == ((28, 28), "uint8")
    first = [
        starter.labels[
            np.abs(starter.images.astype(float) - image).mean(axis=(1, 2)).argmin()
        ]
        for image in found.images
    ]
    assert np.mean(first == found.labels) > 0.5
    np.testing.assert_array_equal(rendered(48, 0, starter).images, found.images)


def test_examples_that_are_not_found_again_are_left_out() -> None:
    blank = Examples(np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.int64))
    assert rendered(0, 0, blank).images.shape == (0, 28, 28)
