"""Datasets that were written without TensorFlow, read by TensorFlow and by TFDS."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from digits.datasets import DatasetVersion, convert, shard_keys, tfrecord
from digits.datasets.tfds import SPLITS, Split
from digits.store import Store

Arrays = dict[str, npt.NDArray[Any]]

BATCH = 1024
PARSED = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
}


@pytest.fixture(scope="module")
def expected(digits_npz: Path) -> Arrays:
    with np.load(digits_npz) as archive:
        return dict(archive)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def dataset(folder: Path, digits_npz: Path) -> DatasetVersion:
    return convert(Store(folder.as_uri()), "mnist", digits_npz)


@pytest.fixture(scope="module")
def builder(folder: Path, dataset: DatasetVersion) -> tfds.core.DatasetBuilder:
    return tfds.builder_from_directory(folder / dataset.key(""))


def gather(batches: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Images and labels of all batches."""
    images, labels = zip(*batches.as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


@pytest.mark.parametrize("split", SPLITS)
def test_tensorflow_reads_every_image_and_label(
    folder: Path, dataset: DatasetVersion, expected: Arrays, split: Split
) -> None:
    def parse(examples: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parsed = tf.io.parse_example(examples, PARSED)
        pixels = tf.io.decode_raw(parsed["image"], tf.uint8)
        return tf.reshape(pixels, (-1, 28, 28)), parsed["label"]

    keys = shard_keys(Store(folder.as_uri()), dataset, split)
    files = [str(folder / key) for key in keys]
    batches = tf.data.TFRecordDataset(files).batch(BATCH)
    images, labels = gather(batches.map(parse))
    np.testing.assert_array_equal(images, expected[f"x_{split}"])
    np.testing.assert_array_equal(labels, expected[f"y_{split}"])


@pytest.mark.parametrize("split", SPLITS)
def test_tfds_reads_every_image_and_label(
    builder: tfds.core.DatasetBuilder, expected: Arrays, split: Split
) -> None:
    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    batches = builder.as_dataset(
        split=split, batch_size=BATCH, read_config=in_order, as_supervised=True
    )
    images, labels = gather(batches)
    np.testing.assert_array_equal(images, expected[f"x_{split}"][..., np.newaxis])
    np.testing.assert_array_equal(labels, expected[f"y_{split}"])


def test_tfds_may_shuffle_the_files(
    builder: tfds.core.DatasetBuilder, expected: Arrays
) -> None:
    batches = builder.as_dataset(
        split="train", batch_size=BATCH, shuffle_files=True, as_supervised=True
    )
    _, labels = gather(batches)
    np.testing.assert_array_equal(np.bincount(labels), np.bincount(expected["y_train"]))


def test_tfds_reads_the_description_of_the_dataset(
    builder: tfds.core.DatasetBuilder, dataset: DatasetVersion
) -> None:
    image = tfds.features.Tensor(shape=(28, 28, 1), dtype=np.uint8, encoding="bytes")
    label = tfds.features.ClassLabel(num_classes=10)
    features = tfds.features.FeaturesDict({"image": image, "label": label})
    assert builder.info.features.to_json() == features.to_json()
    assert builder.info.features["label"].names == list("0123456789")
    assert (builder.name, str(builder.version)) == (dataset.name, dataset.version)
    splits = builder.info.splits
    counts = {split: info.num_examples for split, info in splits.items()}
    assert counts == dataset.counts
    assert builder.info.supervised_keys == ("image", "label")


def test_the_sizes_equal_those_of_examples_that_tfds_serialises(
    builder: tfds.core.DatasetBuilder, expected: Arrays
) -> None:
    serializer = tfds.core.example_serializer.ExampleSerializer(
        builder.info.features.get_serialized_info()
    )
    example = builder.info.features.encode_example(
        {"image": expected["x_train"][0][..., np.newaxis], "label": 5}
    )
    size = len(serializer.serialize_example(example))
    for info in builder.info.splits.values():
        assert info.num_bytes == size * info.num_examples


@pytest.mark.parametrize("position", [0, 8, 12, 400, 833, 834, 837])
def test_tensorflow_notices_a_flipped_byte(
    file_store: Store, small_npz: Path, tmp_path: Path, position: int
) -> None:
    """A record is a length and its checksum, 12 bytes, the example, and from 834 its checksum."""
    (key,) = shard_keys(file_store, convert(file_store, "small", small_npz), "test")
    data = bytearray(file_store.read(key))
    assert tfrecord.record_bytes() == 838
    data[5 * 838 + position] ^= 1
    damaged = tmp_path / "damaged"
    damaged.write_bytes(data)
    with pytest.raises(tf.errors.DataLossError):
        list(tf.data.TFRecordDataset(str(damaged)))
