"""Datasets in the store: uploads at `raw/<name>.npz`, and TFRecords that TFDS reads at `datasets/<name>/<version>/`."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from digits import dataset_versions, tfds
from digits.dataset_versions import DatasetVersion
from digits.errors import InvalidDatasetError, MissingObjectError, UnknownError
from digits.store import Store
from digits.tfds import Split

__all__ = [
    "MAX_UPLOAD_BYTES",
    "NAME_PATTERN",
    "DatasetVersion",
    "Split",
    "convert",
    "ingest",
    "latest",
    "list_datasets",
    "shard_keys",
    "upload_key",
]

# What TFDS takes as a dataset's name.
NAME_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
# The convert function has 2 GiB of disk, for an upload and at most 1 GiB that it unpacks to.
MAX_UPLOAD_BYTES = 512 * 2**20

Progress = Callable[[int, int], None]


def convert(store: Store, name: str, path: Path, *, on_progress: Progress | None = None) -> DatasetVersion:
    """Convert a local npz file into a version of the dataset.

    The same file is the same version, however often and by however many it is converted: a complete one is left alone,
    one that broke off is done again. Different files get different versions.

    Args:
        store: where the dataset goes.
        name: the dataset's name, as `NAME_PATTERN`.
        path: the npz file, as `digits.npz.unpack` takes it.
        on_progress: called with the number of images done, and of all.

    Raises:
        InvalidDatasetError: the name or the file is not as it should be. The store is as it was before.
    """
    _check_name(name)
    _check_size(path.stat().st_size)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return _convert(store, name, path, sha256, on_progress)


def ingest(store: Store, name: str, *, on_progress: Progress | None = None) -> DatasetVersion:
    """Convert the upload `raw/<name>.npz`, as `convert` does.

    Raises:
        InvalidDatasetError: the upload was refused. `datasets/<name>/problem.json` says why, until a good one comes.
        UnknownError: there is no upload.
    """
    _check_name(name)
    sha256 = None
    with TemporaryDirectory(prefix="digits-") as folder:
        path = Path(folder, "upload.npz")
        try:
            _check_size(_upload_size(store, name))
            sha256 = store.download(upload_key(name), path)
            dataset = _convert(store, name, path, sha256, on_progress)
        except InvalidDatasetError as error:
            store.write_json(_problem_key(name), {**error.problem(), "sha256": sha256})
            raise
    store.delete(_problem_key(name))
    return dataset


def latest(store: Store, name: str) -> DatasetVersion:
    """The newest complete version.

    Raises:
        InvalidDatasetError: there is none, and the last upload was refused; the message says why.
        UnknownError: there is none.
    """
    found = next(dataset_versions.complete(store, name), None)
    if found:
        return found
    problem = _problem(store, name)
    if problem:
        raise InvalidDatasetError(f"The upload of dataset {name!r} was refused. {problem['detail']}")
    raise UnknownError(f"There is no dataset {name!r}. Upload one: POST /datasets says where to.")


def list_datasets(store: Store) -> list[dict[str, Any]]:
    """Each dataset: its name, its complete versions, oldest first, and the problem if its last upload was refused."""
    return [_describe(store, name) for name in store.folders("datasets")]


def shard_keys(store: Store, dataset: DatasetVersion, split: Split) -> list[str]:
    """The keys of a split's TFRecord files, in the order of the upload.

    Raises:
        DamagedObjectError: the stored description does not say.
    """
    shards = tfds.shard_count(store.read_json(dataset.key(tfds.INFO_FILE)), split)
    return [dataset.key(file) for file in tfds.shard_names(dataset.name, split, shards)]


def upload_key(name: str) -> str:
    """The key at which the upload of a dataset arrives."""
    return f"raw/{name}.npz"


def _check_name(name: str) -> None:
    if not re.fullmatch(NAME_PATTERN, name):
        raise InvalidDatasetError(f"Expected a dataset's name as {NAME_PATTERN}. Received {name!r}.")


def _check_size(size: int) -> None:
    if size > MAX_UPLOAD_BYTES:
        raise InvalidDatasetError(f"Expected an npz of at most {MAX_UPLOAD_BYTES:,} bytes. Received {size:,}.")


def _upload_size(store: Store, name: str) -> int:
    try:
        return store.size(upload_key(name))
    except MissingObjectError as error:
        raise UnknownError(f"There is no upload of dataset {name!r}. POST /datasets says where to put one.") from error


def _convert(store: Store, name: str, path: Path, sha256: str, on_progress: Progress | None) -> DatasetVersion:
    # They import NumPy and protobuf: 0.35 s, which the train function has no need to wait for.
    from digits import npz, shards  # noqa: PLC0415

    done = next((found for found in dataset_versions.complete(store, name) if found.sha256 == sha256), None)
    if done:
        return done
    with npz.unpack(path) as upload:
        dataset = dataset_versions.claim(store, name, upload.counts, sha256)
        shards.write(store, dataset, upload, on_progress)
    return dataset


def _problem(store: Store, name: str) -> dict[str, Any] | None:
    try:
        return store.read_json(_problem_key(name))
    except MissingObjectError:
        return None


def _problem_key(name: str) -> str:
    return f"datasets/{name}/problem.json"


def _describe(store: Store, name: str) -> dict[str, Any]:
    versions = reversed(list(dataset_versions.complete(store, name)))
    listed = [{"version": found.version, "counts": found.counts} for found in versions]
    problem = _problem(store, name)
    return {"name": name, "versions": listed} | ({"problem": problem} if problem else {})
