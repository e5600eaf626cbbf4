"""Writes the files of a dataset version: TFRecords, and JSON files for TFDS."""

from collections.abc import Callable, Iterator
from itertools import islice

from digits.datasets import npz, tfds, tfrecord
from digits.datasets.npz import Upload
from digits.datasets.tfds import Split
from digits.datasets.versions import DatasetVersion
from digits.store import Store

_CHUNKS_PER_SHARD = tfds.EXAMPLES_PER_SHARD // npz.CHUNK


def write_shards(
    store: Store,
    dataset: DatasetVersion,
    upload: Upload,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write all files of a version, dataset_info.json last.

    The same upload gives the same bytes, so two writers at the same time do no harm.

    Args:
        store: where the files go.
        dataset: the version, which this upload has claimed.
        upload: the examples.
        on_progress: called with the number of images done, and of all images.
    """
    total = sum(dataset.counts.values())
    done = 0
    for split in dataset.counts:
        for count in _write_split(store, dataset, upload, split):
            done += count
            if on_progress:
                on_progress(done, total)
    store.write_json(dataset.key(tfds.FEATURES_FILE), tfds.features_document())
    info = tfds.info_document(
        dataset.name, dataset.version, dataset.counts, tfrecord.example_bytes()
    )
    store.write_json(dataset.key(tfds.INFO_FILE), info)


def _write_split(
    store: Store, dataset: DatasetVersion, upload: Upload, split: Split
) -> Iterator[int]:
    """Write a split's files, chunk by chunk; yields the number of images in each chunk."""
    shards = len(tfds.shard_lengths(dataset.counts[split]))
    chunks = upload.chunks(split)
    for file in tfds.shard_names(dataset.name, split, shards):
        with store.writer(dataset.key(file)) as append:
            for images, labels in islice(chunks, _CHUNKS_PER_SHARD):
                append(tfrecord.frame_examples(images, labels))
                yield len(labels)
