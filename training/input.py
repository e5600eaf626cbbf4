"""What the network is fed: TFRecord shards, read once into memory, then served in seeded batches."""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from digits.arrays import Integers, Mask, Pixels
from digits.datasets import shard_keys
from digits.datasets.tfds import Split
from digits.datasets.versions import DatasetVersion
from digits.digit import SIDE
from digits.errors import DamagedObjectError
from digits.store import Store

# One image in so many is held out for validation.
VALIDATION_BUCKETS = 20
_SHARDS_AT_ONCE = 4
_PARSE_BATCH = 1024
_EVALUATION_BATCH = 512
# Never tf.data.AUTOTUNE: its thread sleeps in ever longer steps, and the end of a
# training waits until it wakes up.
_PARALLEL = 4
_PREFETCH = 2
# The same upload would be taken for done.
_REMEDY = "Delete this version from the store and upload the dataset again."
_FEATURES = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
}


# Changes (n, 28, 28, 1) float32 images in [0, 1] at random; the (2,) integers decide how.
Change = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class Examples:
    """Labelled digits in memory.

    Attributes:
        images: (n, 28, 28) uint8, light ink on dark.
        labels: (n,) int64, 0 to 9.
    """

    images: Pixels
    labels: Integers

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, mask: Mask) -> "Examples":
        """The examples for which the (n,) mask is true."""
        return Examples(self.images[mask], self.labels[mask])


def fetch(store: Store, dataset: DatasetVersion, split: Split) -> Examples:
    """All examples of a split, from the store.

    Raises:
        DamagedObjectError: a shard fails its checksums or its format, or examples are missing.
        MissingObjectError: a shard is not there.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for key in shard_keys(store, dataset, split):
            paths.append(Path(folder) / key.rsplit("/", 1)[-1])
            with paths[-1].open("wb") as file:
                store.download(key, file)
        examples = read(paths)
    if len(examples) != dataset.counts[split]:
        raise DamagedObjectError(
            f"Expected {dataset.counts[split]} {split} examples in {dataset.name} {dataset.version}. "
            f"Received {len(examples)}. {_REMEDY}"
        )
    return examples


def read(paths: Sequence[Path]) -> Examples:
    """All examples of some shards. Their order is the same at every reading.

    Raises:
        DamagedObjectError: a record fails its checksum, or is no 28x28 image with a label.
    """
    try:
        batches = list(parse(paths).as_numpy_iterator())
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        names = ", ".join(path.name for path in paths)
        raise DamagedObjectError(
            f"A record is damaged, or no 28x28 image, in {names}. {_REMEDY}"
        ) from error
    images, labels = (
        zip(*batches, strict=True)
        if batches
        else ([np.empty((0, SIDE, SIDE), np.uint8)], [np.empty(0)])
    )
    return Examples(np.concatenate(images), np.concatenate(labels).astype(np.int64))


def parse(paths: Sequence[Path]) -> tf.data.Dataset:
    """The shards' examples in batches: (b, 28, 28) uint8 images, (b,) int64 labels."""
    files = tf.data.Dataset.from_tensor_slices([str(path) for path in paths])
    records = files.interleave(
        tf.data.TFRecordDataset,
        cycle_length=_SHARDS_AT_ONCE,
        block_length=_PARSE_BATCH,
        num_parallel_calls=_SHARDS_AT_ONCE,
        deterministic=True,
    )
    # Batches are parsed some 10 times faster than single examples.
    return (
        records.batch(_PARSE_BATCH)
        .map(_parse_batch, _PARALLEL, deterministic=True)
        .prefetch(_PREFETCH)
    )


def hold_out(examples: Examples) -> tuple[Examples, Examples]:
    """Split into training and validation by a hash of the pixels, so that equal images end up on the same side."""
    pixels = [image.tobytes() for image in examples.images]
    held_out = tf.strings.to_hash_bucket_fast(pixels, VALIDATION_BUCKETS).numpy() == 0
    return examples.where(~held_out), examples.where(held_out)


def training_batches(
    examples: Examples,
    batch_size: int,
    seed: int,
    epochs: range,
    change: Change | None = None,
) -> tf.data.Dataset:
    """Batches for `epochs`, one epoch after the other: (b, 28, 28, 1) float32 pixels in [0, 1], (b,) int64 labels.

    Each epoch is shuffled as a whole. Its order and the changes depend on the seed and
    its number only, so a training that resumes sees what it would have seen.
    """
    images, labels = tf.constant(examples.images), tf.constant(examples.labels)
    steps = math.ceil(len(examples) / batch_size)

    def shuffled(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(examples)), seed=(seed, epoch)
        )
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    def gather(step: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = scale(tf.gather(images, indices))
        return change(pixels, tf.stack([seed, step])) if change else pixels, tf.gather(
            labels, indices
        )

    order = (
        tf.data.Dataset.range(epochs.start, epochs.stop)
        .flat_map(shuffled)
        .enumerate(epochs.start * steps)
    )
    # In one thread, ahead of the training: determinism forbids more, and it is faster
    # than any network here.
    return order.map(gather).prefetch(_PREFETCH)


def evaluation_batches(examples: Examples) -> tf.data.Dataset:
    """All examples once, in their order, as `training_batches` gives them."""
    pairs = tf.data.Dataset.from_tensor_slices(
        (examples.images, examples.labels)
    ).batch(_EVALUATION_BATCH)
    return pairs.map(lambda images, labels: (scale(images), labels)).prefetch(_PREFETCH)


def scale(images: Pixels | tf.Tensor) -> tf.Tensor:
    """(n, 28, 28) uint8 to what the networks take, (n, 28, 28, 1) float32 in [0, 1]."""
    return tf.cast(images, tf.float32)[..., tf.newaxis] / 255.0


def _parse_batch(records: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    parsed = tf.io.parse_example(records, _FEATURES)
    pixels = tf.ensure_shape(
        tf.io.decode_raw(parsed["image"], tf.uint8), (None, SIDE * SIDE)
    )
    return tf.reshape(pixels, (-1, SIDE, SIDE)), parsed["label"]
