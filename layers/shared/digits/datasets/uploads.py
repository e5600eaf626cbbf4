"""Uploads, `raw/<name>.npz`, and what became of each dataset's last one.

`datasets/<name>/problem.json` says why it was refused, `datasets/<name>/.upload.json`
which upload was dealt with last: another one that lies in `raw/` is still being
converted.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from digits import documents
from digits.errors import ConflictError, InvalidDatasetError, MissingObjectError
from digits.store import Entry, Store

# A conversion takes minutes at the most, and is tried again for an hour.
_GIVEN_UP = timedelta(hours=2)


# What TFDS takes as a dataset's name.
NAME_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
_KEY = re.compile(rf"raw/({NAME_PATTERN.strip('^$')})\.npz")
State = Literal["converting", "stalled"]


@dataclass(frozen=True)
class Problem:
    """problem.json: why an upload was refused, as a problem document (RFC 9457), and which, if that was looked at."""

    type: str
    title: str
    status: int
    detail: str
    sha256: str | None = None


@dataclass(frozen=True)
class _Handled:
    """.upload.json: the entity tag of the upload that was dealt with last."""

    etag: str


def key(name: str) -> str:
    """The key at which the upload of a dataset arrives."""
    return f"raw/{name}.npz"


def listed(store: Store) -> dict[str, Entry]:
    """The uploads that are there, by dataset. Those under names that no dataset can have do not count."""
    matches = [(_KEY.fullmatch(entry.key), entry) for entry in store.entries("raw")]
    return {match[1]: entry for match, entry in matches if match}


def problem(store: Store, name: str) -> Problem | None:
    """Why the last upload was refused; None if it was not.

    Raises:
        DamagedObjectError: the record cannot be read.
    """
    try:
        return documents.read(store, _problem_key(name), Problem)
    except MissingObjectError:
        return None


def note_problem(
    store: Store, name: str, error: InvalidDatasetError, sha256: str | None
) -> None:
    """Keep why the upload was refused."""
    store.write_json(_problem_key(name), error.problem() | {"sha256": sha256})


def forget_problem(store: Store, name: str) -> None:
    """The last upload was a good one."""
    store.delete(_problem_key(name))


def note_handled(store: Store, name: str, upload: Entry) -> None:
    """This upload is dealt with, whatever became of it."""
    handled = documents.to_bytes(_Handled(upload.etag))
    try:
        store.create(_handled_key(name), handled)
    except ConflictError:
        store.write(_handled_key(name), handled)


def state(store: Store, name: str, upload: Entry, *, is_known: bool) -> State | None:
    """Whether an upload is being converted, or was given up; None once it was dealt with.

    Args:
        store: has the record.
        name: the dataset.
        upload: what lies there.
        is_known: whether the dataset has a version or a problem. Before there were
            records, its upload had been dealt with then.

    Raises:
        DamagedObjectError: the record cannot be read.
    """
    try:
        is_handled = (
            documents.read(store, _handled_key(name), _Handled).etag == upload.etag
        )
    except MissingObjectError:
        is_handled = is_known
    if is_handled:
        return None
    return (
        "converting" if datetime.now(UTC) - upload.modified < _GIVEN_UP else "stalled"
    )


def _problem_key(name: str) -> str:
    return f"datasets/{name}/problem.json"


def _handled_key(name: str) -> str:
    return f"datasets/{name}/.upload.json"
