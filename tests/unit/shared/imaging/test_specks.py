"""Connected components, and specks that are removed by their share of the ink."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from digits.arrays import Integers, Mask
from digits.imaging.specks import Runs, dilate, label_components, without_specks
from tests.unit.shared.imaging.drawings import drawing_of, mask_of, text

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12))
DIAGONALS = np.ones((3, 3))


def test_a_component_with_little_ink_is_removed() -> None:
    strokes = mask_of("""
        ..###.....
        ..#.#.....
        ..#.#.....
        ..#.#...#.
        ..###.....
    """)
    assert drawing_of(without_specks(strokes, ink=strokes * np.float32(1))) == text("""
        ..###.....
        ..#.#.....
        ..#.#.....
        ..#.#.....
        ..###.....
    """)


def test_a_component_near_the_digit_belongs_to_the_digit() -> None:
    strokes = mask_of("""
        ..###.....
        ..#.#.....
        ..#.#.....
        ..#.#..#..
        ..###.....
    """)
    assert np.array_equal(without_specks(strokes, strokes * np.float32(1)), strokes)


@pytest.mark.parametrize(("strength", "is_kept"), [(1, False), (2, True)])
def test_a_component_with_a_fair_share_of_the_ink_is_kept(
    strength: int,
    is_kept: bool,  # noqa: FBT001
) -> None:
    ink = np.zeros((10, 10), np.float32)
    ink[:, 1] = 1
    ink[5, 8] = strength
    strokes = ink > 0
    assert without_specks(strokes, ink)[5, 8] == is_kept


def test_a_components_label_is_the_index_of_its_first_run() -> None:
    runs = label_components(
        mask_of("""
        #..##
        .#...
        ...##
    """)
    )
    assert runs.starts.tolist() == [0, 3, 6, 13]
    assert runs.stops.tolist() == [1, 5, 7, 15]
    assert runs.labels.tolist() == [0, 1, 0, 3]


@given(MASKS)
def test_components_are_those_of_scipy(mask: Mask) -> None:
    labels = to_image(label_components(mask), mask.shape)
    expected, count = ndimage.label(mask, DIAGONALS)
    assert np.array_equal(labels > 0, mask)
    # The labels differ, and correspond one to one.
    pairs = set(zip(labels.ravel().tolist(), expected.ravel().tolist(), strict=True))
    components = pairs - {(0, 0)}
    assert len(components) == count
    assert len({label for label, _ in components}) == count


def to_image(runs: Runs, shape: tuple[int, ...]) -> Integers:
    """The label of each pixel, counted from 1; 0 where the mask is clear."""
    labels = np.zeros(shape, np.int64)
    for start, stop, label in zip(*runs, strict=True):
        labels.ravel()[start:stop] = label + 1
    return labels


@given(MASKS)
def test_dilation_is_that_of_scipy(mask: Mask) -> None:
    assert np.array_equal(dilate(mask), ndimage.binary_dilation(mask))


@given(MASKS, st.integers(0, 2**32 - 1))
def test_the_heaviest_component_stays_and_no_stroke_is_added(
    strokes: Mask, seed: int
) -> None:
    strokes[0, 0] = True
    ink = np.random.default_rng(seed).uniform(1, 255, strokes.shape).astype(np.float32)
    kept = without_specks(strokes, ink)
    assert kept.any()
    assert not (kept & ~strokes).any()
