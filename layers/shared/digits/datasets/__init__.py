"""Datasets in the store: uploads, `raw/<name>.npz`, and versions, `datasets/<name>/<n>.0.0/`."""

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
    DigitsError,
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
    "latest_version",
    "shard_keys",
]

# The convert function has 2 GiB of disk, for an upload and at most 1 GiB that the
# upload unpacks to.
MAX_UPLOAD_BYTES = 512 * 2**20

Progress = Callable[[int, int], None]


def convert(
    store: Store, name: str, path: Path, *, on_progress: Progress | None = None
) -> DatasetVersion:
    """Convert a local npz file into a version of the dataset.

    The same file is always the same version: a complete version is left alone, an
    interrupted conversion is done again. Different files get different versions.

    Args:
        store: where the dataset goes.
        name: the dataset's name, which matches `NAME_PATTERN`.
        path: the npz file, as `digits.datasets.npz.unpack_npz` takes it.
        on_progress: called with the number of images done, and of all images.

    Raises:
        InvalidDatasetError: the name or the file is invalid. The store is unchanged.
    """
    _check_name(name)
    _check_size(path.stat().st_size)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return _convert(store, name, file, sha256, on_progress)


def ingest(
    store: Store, name: str, *, on_progress: Progress | None = None
) -> DatasetVersion:
    """Convert the upload `raw/<name>.npz` as `convert` does, and mark the upload as handled.

    Raises:
        InvalidDatasetError: the upload was refused. `datasets/<name>/problem.json` says
            why, until an upload is accepted.
        UnknownError: there is no upload.
    """
    _check_name(name)
    upload = _find_upload(store, name)
    sha256 = None
    # The file has no name, so a killed process leaves no file.
    with TemporaryFile() as file:
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


def latest_version(store: Store, name: str) -> DatasetVersion:
    """The newest complete version.

    Raises:
        ConflictError: the first upload is being converted.
        InvalidDatasetError: there is no complete version, because the last upload was
            refused or never converted; the message says why.
        UnknownError: there is no such dataset.
    """
    version = versions.latest_version(store, name)
    if version is None:
        raise _why_missing(store, name)
    return version


def _why_missing(store: Store, name: str) -> DigitsError:
    """The error that says why a dataset has no complete version."""
    problem = uploads.load_problem(store, name)
    if problem:
        return InvalidDatasetError(
            f"The upload of dataset {name!r} was refused. {problem.detail}"
        )
    upload = uploads.list_uploads(store).get(name)
    state = upload and uploads.upload_state(store, name, upload, is_known=False)
    if state == "converting":
        return ConflictError(
            f"Dataset {name!r} is being converted. Try again in a few seconds."
        )
    if state == "stalled":
        return InvalidDatasetError(
            f"The upload of dataset {name!r} was not converted. Upload it again."
        )
    return UnknownError(
        f"There is no dataset {name!r}. Upload one: POST /datasets says where to."
    )


def shard_keys(store: Store, dataset: DatasetVersion, split: Split) -> list[str]:
    """The keys of a split's TFRecord files, in the order of the examples in the upload.

    Raises:
        DamagedObjectError: dataset_info.json does not name the files.
    """
    info = store.read_json(dataset.key(tfds.INFO_FILE))
    shards = tfds.shard_count(info, split)
    names = tfds.shard_names(dataset.name, split, shards)
    return [dataset.key(name) for name in names]


def _check_name(name: str) -> None:
    if not re.fullmatch(NAME_PATTERN, name):
        raise InvalidDatasetError(
            f"{name!r} cannot be a dataset's name. Use at most 63 lowercase letters, "
            "digits and underscores, beginning with a letter."
        )


def _check_size(size: int) -> None:
    if size > MAX_UPLOAD_BYTES:
        raise InvalidDatasetError(
            f"The npz has {mebibytes(size)}, and the limit is "
            f"{mebibytes(MAX_UPLOAD_BYTES)}. Give a smaller npz."
        )


def _find_upload(store: Store, name: str) -> Entry:
    try:
        return store.entry(uploads.upload_key(name))
    except MissingObjectError as error:
        raise UnknownError(
            f"There is no upload of dataset {name!r}. "
            "POST /datasets says where to put one."
        ) from error


def _convert(
    store: Store, name: str, file: IO[bytes], sha256: str, on_progress: Progress | None
) -> DatasetVersion:
    # NumPy and protobuf take 0.35 s to import, and the train function needs neither.
    from digits.datasets import npz, shards  # noqa: PLC0415

    converted = versions.version_of_upload(store, name, sha256)
    if converted:
        return converted
    with npz.unpack_npz(file) as upload:
        dataset = versions.claim(store, name, upload.counts, sha256)
        shards.write_shards(store, dataset, upload, on_progress)
    return dataset
