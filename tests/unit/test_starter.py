"""The data in the repository is as data/README.md says."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digits.arrays import Pixels

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "data" / "starter.npz"
SHA256 = "02b70cd36e27581ba6afe8c78f9bb99fce099da8c22b8f9d51fe9775b05c58ab"

Arrays = dict[str, Pixels]


@pytest.fixture(scope="module")
def starter() -> Iterator[Arrays]:
    with np.load(STARTER, allow_pickle=False) as archive:
        yield dict(archive)


def test_the_starter_set_is_the_published_one() -> None:
    assert hashlib.sha256(STARTER.read_bytes()).hexdigest() == SHA256


@pytest.mark.parametrize(
    ("member", "shape"),
    [
        ("x_train", (9000, 28, 28)),
        ("y_train", (9000,)),
        ("x_test", (1000, 28, 28)),
        ("y_test", (1000,)),
    ],
)
def test_the_arrays_have_the_documented_shapes(
    starter: Arrays, member: str, shape: tuple[int, ...]
) -> None:
    assert starter[member].shape == shape
    assert starter[member].dtype == np.uint8


def test_the_archive_has_no_other_arrays(starter: Arrays) -> None:
    assert sorted(starter) == ["x_test", "x_train", "y_test", "y_train"]


@pytest.mark.parametrize("part", ["y_train", "y_test"])
def test_each_part_has_every_digit_about_equally_often(
    starter: Arrays, part: str
) -> None:
    labels = starter[part]
    shares = np.bincount(labels, minlength=10) / len(labels)
    assert shares.shape == (10,)
    assert shares.min() > 0.08
    assert shares.max() < 0.13


def test_no_image_occurs_twice(starter: Arrays) -> None:
    images = np.concatenate([starter["x_train"], starter["x_test"]])
    assert len(np.unique(images.reshape(-1, 784), axis=0)) == 10_000


@pytest.mark.parametrize("digit", range(10))
def test_the_example_is_an_image_of_that_digit_from_the_test_part(
    starter: Arrays, digit: int
) -> None:
    with Image.open(ROOT / "example" / f"{digit}.png") as example:
        assert example.mode == "L"
        pixels = np.asarray(example)
    is_example = (starter["x_test"] == pixels).all(axis=(1, 2))
    assert starter["y_test"][is_example].tolist() == [digit]
