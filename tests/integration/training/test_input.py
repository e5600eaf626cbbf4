"""What a network is fed, from shards to batches."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from digits.datasets import shard_keys
from digits.errors import DamagedObjectError
from tests.integration.training.conftest import TRAIN, Trainings
from training.input import (
    Examples,
    TargetedImages,
    evaluation_batches,
    fetch,
    hold_out,
    read_examples,
    training_batches,
)

BATCH_SIZE = 64


@pytest.fixture
def examples(trainings: Trainings) -> Examples:
    return fetch(trainings.store, trainings.dataset, "train")


@pytest.fixture
def images(examples: Examples) -> TargetedImages:
    """The examples, with their labels as targets."""
    return TargetedImages(examples.images, examples.labels)


def write_shard(path: Path, images: list[bytes]) -> None:
    """Write images, all labelled 3."""
    label = tf.train.Feature(int64_list=tf.train.Int64List(value=[3]))
    with tf.io.TFRecordWriter(str(path)) as writer:
        for image in images:
            pixels = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))
            features = tf.train.Features(feature={"image": pixels, "label": label})
            writer.write(tf.train.Example(features=features).SerializeToString())


def test_shards_hold_what_was_uploaded(examples: Examples, tiny_digits: Path) -> None:
    with np.load(tiny_digits) as npz:
        np.testing.assert_array_equal(examples.images, npz["x_train"])
        np.testing.assert_array_equal(examples.labels, npz["y_train"])


def test_several_shards_are_read_in_the_same_order_every_time(
    trainings: Trainings, tmp_path: Path
) -> None:
    (key,) = shard_keys(trainings.store, trainings.dataset, "train")
    paths = [tmp_path / str(number) for number in range(6)]
    for path in paths:
        path.write_bytes(trainings.store.read(key))
    first, second = read_examples(paths), read_examples(paths)
    assert len(first) == 6 * TRAIN
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.labels, second.labels)


@pytest.mark.parametrize("size", [0, 27 * 27, 28 * 28 - 1, 2 * 28 * 28])
def test_images_of_another_size_are_damage(tmp_path: Path, size: int) -> None:
    write_shard(tmp_path / "shard", [bytes(28 * 28), bytes(size)])
    with pytest.raises(DamagedObjectError, match="no 28x28 image, in shard"):
        read_examples([tmp_path / "shard"])


def test_images_that_are_all_of_another_size_are_damage(tmp_path: Path) -> None:
    write_shard(tmp_path / "shard", [bytes(56 * 28)] * 2)
    with pytest.raises(DamagedObjectError, match="no 28x28 image, in shard"):
        read_examples([tmp_path / "shard"])


def test_validation_takes_one_in_twenty_and_leaves_the_rest(examples: Examples) -> None:
    training, validation = hold_out(examples)
    assert len(training) + len(validation) == TRAIN
    assert 0.02 * TRAIN < len(validation) < 0.09 * TRAIN


def test_equal_images_are_on_one_side(examples: Examples) -> None:
    copies = Examples(np.tile(examples.images, (3, 1, 1)), np.tile(examples.labels, 3))
    training, validation = hold_out(copies)
    training_pixels = {image.tobytes() for image in training.images}
    validation_pixels = {image.tobytes() for image in validation.images}
    assert training_pixels.isdisjoint(validation_pixels)
    assert len(validation_pixels) * 3 == len(validation) > 0


def order_of_examples(seed: int, epochs: range) -> list[int]:
    """The numbers of the examples, in the order of the batches."""
    numbers = np.arange(TRAIN)
    images = TargetedImages(np.zeros((TRAIN, 28, 28), np.uint8), numbers)
    order = []
    batches = training_batches(images, BATCH_SIZE, seed, epochs)
    for _, batch_numbers in batches.as_numpy_iterator():
        order += batch_numbers.tolist()
    return order


def test_an_epoch_has_every_example_once_scaled(images: TargetedImages) -> None:
    batches = training_batches(images, BATCH_SIZE, 0, range(1))
    pixel_batches = [pixels for pixels, _ in batches.as_numpy_iterator()]
    *full, last = [len(pixels) for pixels in pixel_batches]
    assert full == [BATCH_SIZE] * (TRAIN // BATCH_SIZE)
    assert last == TRAIN % BATCH_SIZE
    pixels = np.concatenate(pixel_batches)
    assert pixels.dtype == np.float32
    assert pixels.shape == (TRAIN, 28, 28, 1)
    assert (pixels.min(), pixels.max()) == (0, 1)
    unscaled = np.round(pixels[..., 0] * 255).astype(np.uint8)
    served = {image.tobytes() for image in unscaled}
    assert served == {image.tobytes() for image in images.images}


def test_images_keep_their_targets(images: TargetedImages) -> None:
    pairs = np.stack([images.targets, np.arange(TRAIN)], axis=1)
    numbered = TargetedImages(images.images, pairs)
    batches = training_batches(numbered, BATCH_SIZE, 0, range(1))
    for pixels, targets in batches.as_numpy_iterator():
        labels, numbers = targets[:, 0], targets[:, 1]
        np.testing.assert_array_equal(labels, images.targets[numbers])
        expected = images.images[numbers] / np.float32(255)
        np.testing.assert_allclose(pixels[..., 0], expected)


def test_the_order_depends_on_the_seed_and_the_epoch_only() -> None:
    orders = {}
    for seed in (0, 1):
        for epoch in (0, 1):
            orders[seed, epoch] = order_of_examples(seed, range(epoch, epoch + 1))
    assert len({tuple(numbers) for numbers in orders.values()}) == 4
    assert order_of_examples(0, range(2)) == orders[0, 0] + orders[0, 1]


def test_evaluation_keeps_the_order(images: TargetedImages) -> None:
    batches = evaluation_batches(images).as_numpy_iterator()
    targets = [targets for _, targets in batches]
    np.testing.assert_array_equal(np.concatenate(targets), images.targets)
