"""The versions of a dataset in the store: which there are, and who may write the next.

A version is claimed by creating its source.json, and complete, never to change again, once its dataset_info.json is
there. Until then nobody sees it.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain, count
from typing import Any

from digits.errors import ConflictError, DamagedObjectError, UnknownError
from digits.store import Store
from digits.tfds import INFO_FILE, Split

SCHEMA_VERSION = 1
# Raise it when the same upload would be converted to other bytes: a conversion that an older one began is then left.
CONVERTER_VERSION = 1

_SOURCE_FILE = "source.json"


@dataclass(frozen=True)
class DatasetVersion:
    """One version of a dataset.

    Attributes:
        name: the dataset's name.
        version: `1.0.0`, `2.0.0`, …
        counts: examples by split, `train` and `test`.
        sha256: of the upload it was converted from, in hexadecimal.
    """

    name: str
    version: str
    counts: dict[Split, int]
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """The version as a JSON object."""
        return asdict(self)

    def key(self, file: str) -> str:
        """The key of one of its files."""
        return f"datasets/{self.name}/{self.version}/{file}"


def complete(store: Store, name: str) -> Iterator[DatasetVersion]:
    """The complete versions of a dataset, newest first.

    Raises:
        DamagedObjectError: a version's source.json cannot be trusted.
    """
    for number in reversed(_numbers(store, name, INFO_FILE)):
        key = f"datasets/{name}/{number}.0.0/{_SOURCE_FILE}"
        source = store.read_json(key)
        if source.get("schema_version") != SCHEMA_VERSION:
            found = source.get("schema_version")
            raise DamagedObjectError(f"{key} has schema version {found!r}; this code reads {SCHEMA_VERSION}.")
        try:
            yield DatasetVersion(name, f"{number}.0.0", source["counts"], source["sha256"])
        except KeyError as error:
            raise DamagedObjectError(f"{key} has no {error}.") from error


def find(store: Store, name: str, version: str) -> DatasetVersion:
    """A certain complete version of a dataset.

    Raises:
        UnknownError: there is no such version.
    """
    for found in complete(store, name):
        if found.version == version:
            return found
    raise UnknownError(f"There is no dataset {name!r} {version}. List them with GET /datasets.")


def claim(store: Store, name: str, counts: dict[Split, int], sha256: str) -> DatasetVersion:
    """The version that an upload is to be converted to: the one it claimed before, or the next that is free.

    Of different uploads that arrive at the same time, each gets a version of its own.
    """
    taken = _numbers(store, name, _SOURCE_FILE)
    numbers = chain(taken, count(max(taken, default=0) + 1))
    versions = (DatasetVersion(name, f"{number}.0.0", counts, sha256) for number in numbers)
    return next(version for version in versions if _try_claim(store, version))


def _try_claim(store: Store, version: DatasetVersion) -> bool:
    key = version.key(_SOURCE_FILE)
    source = {
        "schema_version": SCHEMA_VERSION,
        "sha256": version.sha256,
        "counts": version.counts,
        "converter_version": CONVERTER_VERSION,
    }
    try:
        store.create_json(key, source)
    except ConflictError:
        return store.read_json(key) == source
    return True


def _numbers(store: Store, name: str, file: str) -> list[int]:
    """The major numbers of the versions that have this file, ascending."""
    pattern = re.compile(rf"datasets/{re.escape(name)}/([1-9]\d*)\.0\.0/{re.escape(file)}")
    matches = (pattern.fullmatch(entry.key) for entry in store.entries(f"datasets/{name}"))
    return sorted(int(match[1]) for match in matches if match)
