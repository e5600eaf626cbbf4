from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from digits.datasets import shard_keys
from digits.errors import DamagedObjectError
from tests.integration.training.conftest import TRAIN, Trainings
from training.input import (
    Examples,
    evaluation_batches,
    fetch,
    hold_out,
    read,
    training_batches,
)

BATCH_SIZE = 64


@pytest.fixture
def examples(trainings: Trainings) -> Examples:
    return fetch(trainings.store, trainings.dataset, "train")


def write(path: Path, images: list[bytes]) -> None:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for image in images:
            feature = {
                "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[3])),
            }
            writer.write(
                tf.train.Example(
                    features=tf.train.Features(feature=feature)
                ).SerializeToString()
            )


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
    first, second = read(paths), read(paths)
    assert len(first) == 6 * TRAIN
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.labels, second.labels)


@pytest.mark.parametrize("size", [0, 27 * 27, 28 * 28 - 1, 2 * 28 * 28])
def test_images_of_another_size_are_damage(tmp_path: Path, size: int) -> None:
    write(tmp_path / "shard", [bytes(28 * 28), bytes(size)])
    with pytest.raises(DamagedObjectError, match="no 28x28 image, in shard"):
        read([tmp_path / "shard"])


def test_images_that_are_all_of_another_size_are_damage(tmp_path: Path) -> None:
    write(tmp_path / "shard", [bytes(56 * 28)] * 2)
    with pytest.raises(DamagedObjectError, match="no 28x28 image, in shard"):
        read([tmp_path / "shard"])


def test_validation_takes_one_in_twenty_and_leaves_the_rest(examples: Examples) -> None:
    training, validation = hold_out(examples)
    assert len(training) + len(validation) == TRAIN
    assert 0.02 * TRAIN < len(validation) < 0.09 * TRAIN


def test_equal_images_are_on_one_side(examples: Examples) -> None:
    copies = Examples(np.tile(examples.images, (3, 1, 1)), np.tile(examples.labels, 3))
    training, validation = hold_out(copies)
    sides = [
        {image.tobytes() for image in side.images} for side in (training, validation)
    ]
    assert sides[0].isdisjoint(sides[1])
    assert len(sides[1]) * 3 == len(validation) > 0


def order(seed: int, epochs: range) -> list[int]:
    """In which order examples that are numbered by their labels come."""
    numbered = Examples(np.zeros((TRAIN, 28, 28), np.uint8), np.arange(TRAIN))
    batches = training_batches(numbered, BATCH_SIZE, seed, epochs).as_numpy_iterator()
    return [number for _, labels in batches for number in labels.tolist()]


def test_an_epoch_has_every_example_once_scaled(examples: Examples) -> None:
    batches = list(
        training_batches(examples, BATCH_SIZE, 0, range(1)).as_numpy_iterator()
    )
    assert [len(labels) for _, labels in batches] == [BATCH_SIZE] * (
        TRAIN // BATCH_SIZE
    ) + [TRAIN % BATCH_SIZE]
    pixels = np.concatenate([pixels for pixels, _ in batches])
    assert pixels.dtype == np.float32
    assert pixels.shape == (TRAIN, 28, 28, 1)
    assert (pixels.min(), pixels.max()) == (0, 1)
    served = {
        image.tobytes() for image in np.round(pixels[..., 0] * 255).astype(np.uint8)
    }
    assert served == {image.tobytes() for image in examples.images}


def test_the_order_depends_on_the_seed_and_the_epoch_only() -> None:
    orders = {
        (seed, epoch): order(seed, range(epoch, epoch + 1))
        for seed in (0, 1)
        for epoch in (0, 1)
    }
    assert len({tuple(numbers) for numbers in orders.values()}) == 4
    assert order(0, range(2)) == orders[0, 0] + orders[0, 1]


def test_evaluation_keeps_the_order(examples: Examples) -> None:
    labels = [labels for _, labels in evaluation_batches(examples).as_numpy_iterator()]
    np.testing.assert_array_equal(np.concatenate(labels), examples.labels)
