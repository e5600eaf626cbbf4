"""Uploads, at `raw/<name>.npz`, and what became of each dataset's last upload.

`datasets/<name>/problem.json` says why the last upload was refused.
`datasets/<name>/.upload.json` says which upload was handled last. Any other upload at
`raw/<name>.npz` is still being converted.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from digits import documents
from digits.errors import ConflictError, InvalidDatasetError, MissingObjectError
from digits.store import Entry, Store

UPLOAD_FOLDER = "raw"
UPLOAD_SUFFIX = ".npz"
# A dataset name that TFDS accepts.
NAME_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
# A conversion takes at most minutes, and is retried for an hour.
_STALLED_AFTER = timedelta(hours=2)

State = Literal["converting", "stalled"]


@dataclass(frozen=True)
class Problem:
    """problem.json: why an upload was refused, as a problem document (RFC 9457).

    Attributes:
        sha256: of the refused upload; None if the upload was refused unread.
    """

    type: str
    title: str
    status: int
    detail: str
    sha256: str | None = None


@dataclass(frozen=True)
class _Handled:
    """.upload.json: the entity tag of the upload that was handled last."""

    etag: str


def upload_key(name: str) -> str:
    """The key at which the upload of a dataset arrives."""
    return f"{UPLOAD_FOLDER}/{name}{UPLOAD_SUFFIX}"


def dataset_of(key: str, prefix: str = "") -> str | None:
    """The name in an upload's key; None if the key is not an upload's.

    Args:
        key: a key of the store, or of the store's bucket.
        prefix: the store's prefix in the bucket, such as `some/folder/`.
    """
    start = f"{prefix}{UPLOAD_FOLDER}/"
    if not (key.startswith(start) and key.endswith(UPLOAD_SUFFIX)):
        return None
    return key[len(start) : -len(UPLOAD_SUFFIX)] or None


def list_uploads(store: Store) -> dict[str, Entry]:
    """The uploads in the store, by dataset, without keys that name no valid dataset."""
    uploads: dict[str, Entry] = {}
    for entry in store.entries(UPLOAD_FOLDER):
        name = dataset_of(entry.key)
        if name and re.fullmatch(NAME_PATTERN, name):
            uploads[name] = entry
    return uploads


def load_problem(store: Store, name: str) -> Problem | None:
    """Why the last upload was refused; None if the last upload was accepted.

    Raises:
        DamagedObjectError: problem.json cannot be read.
    """
    try:
        return documents.read_document(store, _problem_key(name), Problem)
    except MissingObjectError:
        return None


def save_problem(
    store: Store, name: str, error: InvalidDatasetError, sha256: str | None
) -> None:
    """Record why the upload was refused."""
    store.write_json(_problem_key(name), error.problem() | {"sha256": sha256})


def delete_problem(store: Store, name: str) -> None:
    """Record that the last upload was accepted."""
    store.delete(_problem_key(name))


def mark_handled(store: Store, name: str, upload: Entry) -> None:
    """Record that an upload was handled: converted, or refused."""
    handled = documents.to_bytes(_Handled(upload.etag))
    try:
        store.create(_handled_key(name), handled)
    except ConflictError:
        store.write(_handled_key(name), handled)


def upload_state(
    store: Store, name: str, upload: Entry, *, is_known: bool
) -> State | None:
    """Whether an upload is being converted, or has stalled; None once it was handled.

    Args:
        store: has the record of the last upload.
        name: the dataset.
        upload: the object at the dataset's upload key.
        is_known: whether the dataset has a version or a problem. A store from before
            there was .upload.json has no other sign that the upload was handled.

    Raises:
        DamagedObjectError: .upload.json cannot be read.
    """
    try:
        handled = documents.read_document(store, _handled_key(name), _Handled)
        is_handled = handled.etag == upload.etag
    except MissingObjectError:
        is_handled = is_known
    if is_handled:
        return None
    age = datetime.now(UTC) - upload.modified
    return "converting" if age < _STALLED_AFTER else "stalled"


def _problem_key(name: str) -> str:
    return f"datasets/{name}/problem.json"


def _handled_key(name: str) -> str:
    return f"datasets/{name}/.upload.json"
