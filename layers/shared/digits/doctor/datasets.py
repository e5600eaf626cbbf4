"""Checks the datasets and the uploads in a store."""

from functools import partial
from tempfile import TemporaryFile

from digits import datasets, parallel
from digits.datasets import tfds, tfrecord, uploads, versions
from digits.datasets.versions import DatasetVersion
from digits.doctor.examination import Examination
from digits.errors import DamagedObjectError, MissingObjectError
from digits.store import Store

_MISSING = "The file is missing."


def check_datasets(examination: Examination) -> int:
    """Check every upload, and every version of every dataset.

    Returns:
        The number of complete versions.
    """
    names = examination.names("datasets")
    uploaded = uploads.list_uploads(examination.store)
    parallel.each(partial(_check_upload, examination), sorted({*names, *uploaded}))

    def check_version(key: tuple[str, int]) -> bool:
        name, number = key
        return _check_version(examination, name, number)

    keys: list[tuple[str, int]] = []
    for name in names:
        for version in examination.names(f"datasets/{name}"):
            number = versions.version_number(version)
            if number:
                keys.append((name, number))
    return sum(parallel.each(check_version, keys))


def _check_upload(examination: Examination, name: str) -> None:
    """Check that the last upload of a dataset was converted, or refused."""
    store, folder = examination.store, f"datasets/{name}"
    remedy = "Upload the dataset again."
    problem = examination.load(
        f"{folder}/problem.json", remedy, partial(uploads.load_problem, store, name)
    )
    upload = examination.entries.get(uploads.upload_key(name))
    if upload is None or not examination.is_long_ago(upload.modified):
        return
    is_known = bool(problem or examination.names(folder))
    load_state = partial(uploads.upload_state, store, name, upload, is_known=is_known)
    if examination.load(upload.key, remedy, load_state):
        examination.add(upload.key, "This upload was not converted.", remedy)


def _check_version(examination: Examination, name: str, number: int) -> bool:
    """Check a version; returns whether the version is complete."""
    folder = f"datasets/{name}/{versions.version_name(number)}"
    if f"{folder}/{tfds.INFO_FILE}" not in examination.entries:
        if examination.is_abandoned(folder):
            examination.add(
                folder,
                f"The version is incomplete: there is no {tfds.INFO_FILE}.",
                "Upload the same file again to complete the version, or delete the folder.",
            )
        return False
    remedy = f"Delete {folder}, and upload the dataset again."
    load_version = partial(versions.load_version, examination.store, name, number)
    dataset = examination.load(f"{folder}/source.json", remedy, load_version)
    if dataset:
        _check_files(examination, dataset, remedy)
    return True


def _check_files(
    examination: Examination, dataset: DatasetVersion, remedy: str
) -> None:
    features = dataset.key(tfds.FEATURES_FILE)
    if features not in examination.entries:
        examination.add(features, _MISSING, remedy)
    shards = _expected_shards(dataset)
    if _named_shards(examination.store, dataset) != [*shards]:
        examination.add(
            dataset.key(tfds.INFO_FILE),
            f"The file does not name the {len(shards)} files of the examples in source.json.",
            remedy,
        )
    for key, examples in shards.items():
        problem = _problem_of_shard(examination, key, examples)
        if problem:
            examination.add(key, problem, remedy)


def _expected_shards(dataset: DatasetVersion) -> dict[str, int]:
    """The number of examples per TFRecord file, by the file's key."""
    shards: dict[str, int] = {}
    for split, count in dataset.counts.items():
        lengths = tfds.shard_lengths(count)
        names = tfds.shard_names(dataset.name, split, len(lengths))
        for name, length in zip(names, lengths, strict=True):
            shards[dataset.key(name)] = length
    return shards


def _named_shards(store: Store, dataset: DatasetVersion) -> list[str]:
    """The keys of the files that dataset_info.json names."""
    keys: list[str] = []
    try:
        for split in dataset.counts:
            keys += datasets.shard_keys(store, dataset, split)
    except (DamagedObjectError, MissingObjectError):
        return []
    return keys


def _problem_of_shard(examination: Examination, key: str, examples: int) -> str | None:
    entry = examination.entries.get(key)
    if entry is None:
        return _MISSING
    record_bytes = tfrecord.record_bytes()
    size = examples * record_bytes
    if entry.size != size:
        return f"The file has {entry.size:,} bytes, but {examples:,} examples take {size:,}."
    with TemporaryFile() as file:
        examination.store.download(key, file)
        file.seek(0)
        while record := file.read(record_bytes):
            if not tfrecord.is_sound(record):
                return "A record does not match its checksum."
    return None
