import io

import numpy as np
import pytest
from PIL import Image

from digits.imaging.png import MAX_BYTES
from training.input import Examples
from training.pictures.handwriting import SMALLEST_DIGIT
from training.pictures.variants import KINDS, LARGEST_SIDE, render, render_examples


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_of_many_sizes_within_the_limits(
    kind: str, starter: Examples
) -> None:
    sides = []
    for seed, digit in enumerate(starter.images[:20]):
        png = render(kind, digit, np.random.default_rng(seed))
        assert len(png) <= MAX_BYTES
        sides.append(max(Image.open(io.BytesIO(png)).size))
    assert SMALLEST_DIGIT <= min(sides) < 150
    assert 500 < max(sides) <= LARGEST_SIDE


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_the_picture(kind: str, starter: Examples) -> None:
    first, again, other = (
        render(kind, starter.images[0], np.random.default_rng(seed))
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_rendered_examples_keep_their_labels(starter: Examples) -> None:
    rendered = render_examples(48, 0, starter)
    assert 40 < len(rendered) <= 48
    assert rendered.images.shape[1:] == (28, 28)
    assert rendered.images.dtype == np.uint8
    nearest = []
    for image in rendered.images:
        differences = np.abs(starter.images.astype(float) - image)
        nearest.append(starter.labels[differences.mean(axis=(1, 2)).argmin()])
    assert np.mean(nearest == rendered.labels) > 0.5


def test_the_seed_decides_the_rendered_examples(starter: Examples) -> None:
    first, again = (render_examples(12, 0, starter).images for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_no_example_is_rendered_for_a_count_of_0(starter: Examples) -> None:
    assert render_examples(0, 0, starter).images.shape == (0, 28, 28)
