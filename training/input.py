"""What a network is fed.

TFRecord shards are read into memory once, and then served in seeded batches.
"""

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

# One image in 20 is held out for validation.
VALIDATION_BUCKETS = 20
_SHARDS_AT_ONCE = 4
_PARSE_BATCH = 1024
_EVALUATION_BATCH = 512
# Never tf.data.AUTOTUNE: its thread sleeps longer and longer, and the end of a training
# waits for that thread.
_PARALLEL = 4
_PREFETCH = 2
# Without deleting, the same upload would count as converted already.
_REMEDY = "Delete this version from the store and upload the dataset again."
_FEATURES = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
}

# Changes (n, 28, 28, 1) float32 images in [0, 1] at random. The second argument is the
# seed, (2,) integers.
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


@dataclass(frozen=True)
class TargetedImages:
    """Images in memory, with the targets of a loss.

    Attributes:
        images: (n, 28, 28) uint8, light ink on dark.
        targets: (n, ...) int64, what the loss compares the network's answers with.
    """

    images: Pixels
    targets: Integers

    def __len__(self) -> int:
        return len(self.images)


def fetch(store: Store, dataset: DatasetVersion, split: Split) -> Examples:
    """All examples of a split, from the store.

    Raises:
        DamagedObjectError: a shard fails its checksums or its format, or examples are missing.
        MissingObjectError: a shard is missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for key in shard_keys(store, dataset, split):
            path = Path(folder) / key.rsplit("/", 1)[-1]
            with path.open("wb") as file:
                store.download(key, file)
            paths.append(path)
        examples = read_examples(paths)
    expected = dataset.counts[split]
    if len(examples) != expected:
        raise DamagedObjectError(
            f"{dataset.name} {dataset.version} has {len(examples)} {split} examples"
            f" instead of {expected}. {_REMEDY}"
        )
    return examples


def read_examples(paths: Sequence[Path]) -> Examples:
    """All examples of some shards, in the same order at every reading.

    Raises:
        DamagedObjectError: a record fails its checksum, or is no 28x28 image with a label.
    """
    images = [np.empty((0, SIDE, SIDE), np.uint8)]
    labels = [np.empty(0, np.int64)]
    try:
        for image_batch, label_batch in parse_shards(paths).as_numpy_iterator():
            images.append(image_batch)
            labels.append(label_batch)
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        names = ", ".join(path.name for path in paths)
        raise DamagedObjectError(
            f"A record is damaged, or is no 28x28 image, in {names}. {_REMEDY}"
        ) from error
    return Examples(np.concatenate(images), np.concatenate(labels))


def parse_shards(paths: Sequence[Path]) -> tf.data.Dataset:
    """The shards' examples in batches: (b, 28, 28) uint8 images, (b,) int64 labels."""
    files = tf.data.Dataset.from_tensor_slices([str(path) for path in paths])
    records = files.interleave(
        tf.data.TFRecordDataset,
        cycle_length=_SHARDS_AT_ONCE,
        block_length=_PARSE_BATCH,
        num_parallel_calls=_SHARDS_AT_ONCE,
        deterministic=True,
    )
    # Parsing batches is about 10 times faster than parsing single examples.
    batches = records.batch(_PARSE_BATCH)
    parsed = batches.map(_parse_batch, _PARALLEL, deterministic=True)
    return parsed.prefetch(_PREFETCH)


def hold_out(examples: Examples) -> tuple[Examples, Examples]:
    """Split examples into training and validation.

    A hash of the pixels decides, so that equal images end up on the same side.
    """
    pixels = [image.tobytes() for image in examples.images]
    held_out = tf.strings.to_hash_bucket_fast(pixels, VALIDATION_BUCKETS).numpy() == 0
    return examples.where(~held_out), examples.where(held_out)


def training_batches(
    examples: TargetedImages,
    batch_size: int,
    seed: int,
    epochs: range,
    change: Change | None = None,
) -> tf.data.Dataset:
    """Batches for `epochs`, one epoch after the other.

    Each epoch is shuffled as a whole. The order of an epoch and the changes depend on
    the seed and the epoch's number only, so a training that resumes sees the same
    batches as a training that was never interrupted.

    Returns:
        (b, 28, 28, 1) float32 pixels in [0, 1], and (b, ...) int64 targets.
    """
    images, targets = tf.constant(examples.images), tf.constant(examples.targets)
    steps_per_epoch = math.ceil(len(examples) / batch_size)

    def shuffle(epoch: tf.Tensor) -> tf.data.Dataset:
        indices = tf.range(len(examples))
        shuffled = tf.random.experimental.stateless_shuffle(indices, seed=(seed, epoch))
        return tf.data.Dataset.from_tensor_slices(shuffled).batch(batch_size)

    def gather(step: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = scale(tf.gather(images, indices))
        if change:
            pixels = change(pixels, tf.stack([seed, step]))
        return pixels, tf.gather(targets, indices)

    batches = tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(shuffle)
    numbered = batches.enumerate(epochs.start * steps_per_epoch)
    # One thread gathers, ahead of the training: determinism forbids more threads, and one
    # is faster than any network here.
    return numbered.map(gather).prefetch(_PREFETCH)


def evaluation_batches(examples: TargetedImages) -> tf.data.Dataset:
    """All examples once, in their order, as `training_batches` gives them."""
    pairs = tf.data.Dataset.from_tensor_slices((examples.images, examples.targets))
    batches = pairs.batch(_EVALUATION_BATCH)

    def scale_images(images: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return scale(images), targets

    return batches.map(scale_images).prefetch(_PREFETCH)


def scale(images: Pixels | tf.Tensor) -> tf.Tensor:
    """(n, 28, 28) uint8 to what the networks take, (n, 28, 28, 1) float32 in [0, 1]."""
    return tf.cast(images, tf.float32)[..., tf.newaxis] / 255.0


def _parse_batch(records: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    parsed = tf.io.parse_example(records, _FEATURES)
    pixels = tf.io.decode_raw(parsed["image"], tf.uint8)
    # Raises InvalidArgumentError for images of another size.
    pixels = tf.ensure_shape(pixels, (None, SIDE * SIDE))
    return tf.reshape(pixels, (-1, SIDE, SIDE)), parsed["label"]
