"""Writing a dataset version: its TFRecord files, and what TFDS needs to read them."""

from collections.abc import Callable, Iterator
from itertools import islice

from digits.datasets import npz, tfds, tfrecord
from digits.datasets.npz import Upload
from digits.datasets.tfds import Split
from digits.datasets.versions import DatasetVersion
from digits.store import Store


def write(
    store: Store,
    dataset: DatasetVersion,
    upload: Upload,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write all files of a version, dataset_info.json last.

    The same upload gives the same bytes, so it does no harm when two do this at the same time.

    Args:
        store: where the files go.
        dataset: the version, claimed for this upload.
        upload: what is to be written.
        on_progress: called with the number of images done, and of all.
    """
    total, done = sum(dataset.counts.values()), 0
    for split in dataset.counts:
        for written in _write_split(store, dataset, upload, split):
            done += written
            if on_progress:
                on_progress(done, total)
    info = tfds.dataset_info(
        dataset.name, dataset.version, dataset.counts, tfrecord.example_bytes()
    )
    store.write_json(dataset.key(tfds.FEATURES_FILE), tfds.features())
    store.write_json(dataset.key(tfds.INFO_FILE), info)


def _write_split(
    store: Store, dataset: DatasetVersion, upload: Upload, split: Split
) -> Iterator[int]:
    """Write a split's files, chunk by chunk; yields the number of images in each."""
    shards = len(tfds.shard_lengths(dataset.counts[split]))
    chunks = upload.chunks(split)
    for file in tfds.shard_names(dataset.name, split, shards):
        with store.writer(dataset.key(file)) as append:
            for images, labels in islice(chunks, tfds.EXAMPLES_PER_SHARD // npz.CHUNK):
                append(tfrecord.frame(images, labels))
                yield len(labels)
