"""Datasets in the store: uploads at `raw/<name>.npz`, and TFRecords that TFDS reads at `datasets/<name>/<version>/`."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from digits.datasets import tfds, uploads, versions
from digits.datasets.tfds import Split
from digits.datasets.uploads import NAME_PATTERN
from digits.datasets.versions import DatasetVersion
from digits.errors import (
    ConflictError,
    InvalidDatasetError,
    MissingObjectError,
    UnknownError,
)
from digits.sizes import mebibytes
from digits.store import Entry, Store

__all__ = [
    "MAX_UPLOAD_BYTES",
    "NAME_PATTERN",
    "DatasetVersion",
    "Split",
    "convert",
    "ingest",
    "latest",
    "shard_keys",
]

# The convert function has 2 GiB of disk, for an upload and at most 1 GiB that it unpacks to.
MAX_UPLOAD_BYTES = 512 * 2**20

Progress = Callable[[int, int], None]


def convert(
    store: Store, name: str, path: Path, *, on_progress: Progress | None = None
) -> DatasetVersion:
    """Convert a local npz file into a version of the dataset.

    The same file is the same version, however often and by however many it is
        converted: a complete one is left alone, one that broke off is done again.
        Different files get different versions.

    Args:
        store: where the dataset goes.
        name: the dataset's name, as `NAME_PATTERN`.
        path: the npz file, as `digits.datasets.npz.unpack` takes it.
        on_progress: called with the number of images done, and of all.

    Raises:
        InvalidDatasetError: the name or the file is not as it should be. The store is
            as it was before.
    """
    _check_name(name)
    _check_size(path.stat().st_size)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return _convert(store, name, file, sha256, on_progress)


def ingest(
    store: Store, name: str, *, on_progress: Progress | None = None
) -> DatasetVersion:
    """Convert the upload `raw/<name>.npz`, as `convert` does, and note that this upload was dealt with.

    Raises:
        InvalidDatasetError: the upload was refused. `datasets/<name>/problem.json` says
            why, until a good one comes.
        UnknownError: there is no upload.
    """
    _check_name(name)
    upload = _upload(store, name)
    sha256 = None
    with (
        TemporaryFile() as file
    ):  # It has no name, so that nothing is left if this process is killed.
        try:
            _check_size(upload.size)
            sha256 = store.download(upload.key, file)
            dataset = _convert(store, name, file, sha256, on_progress)
        except InvalidDatasetError as error:
            uploads.save_problem(store, name, error, sha256)
            uploads.mark_handled(store, name, upload)
            raise
    uploads.delete_problem(store, name)
    uploads.mark_handled(store, name, upload)
    return dataset


def latest(store: Store, name: str) -> DatasetVersion:
    """The newest complete version.

    Raises:
        ConflictError: there is none yet, because its upload is being converted.
        InvalidDatasetError: there is none, and the last upload was refused or never
            converted; the message says why.
        UnknownError: there is none.
    """
    found = versions.latest(store, name)
    if found:
        return found
    problem = uploads.load_problem(store, name)
    if problem:
        raise InvalidDatasetError(
            f"The upload of dataset {name!r} was refused. {problem.detail}"
        )
    upload = uploads.list_uploads(store).get(name)
    state = upload and uploads.upload_state(store, name, upload, is_known=False)
    if state == "converting":
        raise ConflictError(
            f"Dataset {name!r} is being converted. Try again in a few seconds."
        )
    if state == "stalled":
        raise InvalidDatasetError(
            f"The upload of dataset {name!r} was not converted. Upload it again."
        )
    raise UnknownError(
        f"There is no dataset {name!r}. Upload one: POST /datasets says where to."
    )


def shard_keys(store: Store, dataset: DatasetVersion, split: Split) -> list[str]:
    """The keys of a split's TFRecord files, in the order of the upload.

    Raises:
        DamagedObjectError: the stored description does not say.
    """
    shards = tfds.shard_count(store.read_json(dataset.key(tfds.INFO_FILE)), split)
    return [dataset.key(file) for file in tfds.shard_names(dataset.name, split, shards)]


def _check_name(name: str) -> None:
    if not re.fullmatch(NAME_PATTERN, name):
        raise InvalidDatasetError(
            f"{name!r} is no name of a dataset. Use at most 63 small letters, digits and underscores, a letter first."
        )


def _check_size(size: int) -> None:
    if size > MAX_UPLOAD_BYTES:
        limit = mebibytes(MAX_UPLOAD_BYTES)
        raise InvalidDatasetError(
            f"The npz has {mebibytes(size)}, and the limit is {limit}. Upload a smaller one."
        )


def _upload(store: Store, name: str) -> Entry:
    try:
        return store.entry(uploads.upload_key(name))
    except MissingObjectError as error:
        raise UnknownError(
            f"There is no upload of dataset {name!r}. POST /datasets says where to put one."
        ) from error


def _convert(
    store: Store, name: str, file: IO[bytes], sha256: str, on_progress: Progress | None
) -> DatasetVersion:
    # They import NumPy and protobuf: 0.35 s, which the train function has no need to wait for.
    from digits.datasets import npz, shards  # noqa: PLC0415

    done = versions.of_upload(store, name, sha256)
    if done:
        return done
    with npz.unpack(file) as upload:
        dataset = versions.claim(store, name, upload.counts, sha256)
        shards.write(store, dataset, upload, on_progress)
    return dataset
