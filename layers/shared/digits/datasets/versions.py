"""The versions of a dataset in the store: which there are, and who may write the next.

A version is claimed by creating its source.json, and complete, never to change again,
once its dataset_info.json is there. Until then nobody sees it. `.uploads/<sha256>.json`
says which version an upload became.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from digits import documents, parallel
from digits.datasets.tfds import INFO_FILE, Split
from digits.errors import DamagedObjectError, MissingObjectError, UnknownError
from digits.series import Numbered, Series
from digits.store import Store

SCHEMA_VERSION = 1
# Raise it when the same upload would be converted to other bytes: a conversion that an
# older one began is then left.
CONVERTER_VERSION = 1

_SOURCE_FILE = "source.json"
_VERSION_PATTERN = re.compile(r"([1-9][0-9]{0,17})\.0\.0")


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

    def key(self, file: str) -> str:
        """The key of one of its files."""
        return f"datasets/{self.name}/{self.version}/{file}"


@dataclass(frozen=True)
class _Source:
    """source.json: what a version is made of."""

    sha256: str
    counts: dict[Split, int]
    converter_version: int
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True)
class _Indexed:
    """.uploads/<sha256>.json: the number of the version that an upload became."""

    number: int


def latest(store: Store, name: str) -> DatasetVersion | None:
    """The newest complete version; None when there is none.

    Raises:
        DamagedObjectError: its source.json cannot be trusted.
    """
    return next(complete(store, name), None)


def complete(store: Store, name: str) -> Iterator[DatasetVersion]:
    """The complete versions of a dataset, newest first.

    Raises:
        DamagedObjectError: a version's source.json cannot be trusted.
    """
    for number in range(_series(store, name).newest().number, 0, -1):
        if is_complete(store, name, number):
            yield load(store, name, number)


def find(store: Store, name: str, version: str) -> DatasetVersion:
    """A certain complete version of a dataset.

    Raises:
        DamagedObjectError: its source.json cannot be trusted.
        UnknownError: there is no such version.
    """
    match = _VERSION_PATTERN.fullmatch(version)
    if match and is_complete(store, name, int(match[1])):
        return load(store, name, int(match[1]))
    raise UnknownError(
        f"There is no dataset {name!r} {version}. List the datasets with GET /datasets."
    )


def load(store: Store, name: str, number: int) -> DatasetVersion:
    """A version by its number, complete or not.

    Raises:
        DamagedObjectError: its source.json cannot be trusted.
        MissingObjectError: there is none.
    """
    source = documents.read_document(store, _key(name, number, _SOURCE_FILE), _Source)
    return DatasetVersion(name, f"{number}.0.0", source.counts, source.sha256)


def newest_numbers(store: Store, name: str, limit: int) -> range:
    """The numbers of the newest versions, complete or not, in ascending order."""
    newest = _series(store, name).newest().number
    return range(max(1, newest - limit + 1), newest + 1)


def is_complete(store: Store, name: str, number: int) -> bool:
    """Whether all of a version is there."""
    return store.exists(_key(name, number, INFO_FILE))


def of_upload(store: Store, name: str, sha256: str) -> DatasetVersion | None:
    """The complete version that an upload became before; None when there is none."""
    _index_old_versions(store, name)
    number = _indexed(store, name, sha256)
    if number is None or not is_complete(store, name, number):
        return None
    return load(store, name, number)


def claim(
    store: Store, name: str, counts: dict[Split, int], sha256: str
) -> DatasetVersion:
    """The version that an upload is to be converted to: the one it claimed before, or the next that is free.

    Of different uploads that arrive at the same time, each gets a version of its own.
    """
    source = _Source(sha256, counts, CONVERTER_VERSION)
    series = _series(store, name)

    def is_own(number: int, data: bytes) -> bool:
        found = _parse(name, number, data)
        if found and found != source:
            _index(store, name, number, found)  # Its claimer may have died before.
        return found == source

    # In this order: the index knows all versions up to the hint.
    hint = series.hint()
    number = _indexed(store, name, sha256)
    if number is None or not is_own(number, series.read(number) or b""):
        claimed = series.append(
            hint.number if hint else 0, lambda _: documents.to_bytes(source), is_own
        )
        _index(store, name, claimed.number, source)
        series.note(claimed)
        number = claimed.number
    return DatasetVersion(name, f"{number}.0.0", counts, sha256)


def _index_old_versions(store: Store, name: str) -> None:
    """Index the versions from before there was an index, once: the hint shows that it was done."""
    series = _series(store, name)
    if series.hint():
        return
    newest = series.newest()

    def index(number: int) -> None:
        source = _parse(name, number, series.read(number) or b"")
        if source and is_complete(store, name, number):
            _index(store, name, number, source)

    parallel.each(index, range(1, newest.number + 1))
    if newest.number:
        series.note(Numbered(newest.number, series.read(newest.number)))


def _parse(name: str, number: int, data: bytes) -> _Source | None:
    """A source.json; None of one that cannot be read, and so is nobody's."""
    try:
        return documents.parse_document(data, _Source, _key(name, number, _SOURCE_FILE))
    except DamagedObjectError:
        return None


def _index(store: Store, name: str, number: int, source: _Source) -> None:
    store.write(_index_key(name, source.sha256), documents.to_bytes(_Indexed(number)))


def _indexed(store: Store, name: str, sha256: str) -> int | None:
    try:
        return documents.read_document(store, _index_key(name, sha256), _Indexed).number
    except MissingObjectError:
        return None


def _series(store: Store, name: str) -> Series:
    return Series(store, f"datasets/{name}", f"{{}}.0.0/{_SOURCE_FILE}")


def _key(name: str, number: int, file: str) -> str:
    return f"datasets/{name}/{number}.0.0/{file}"


def _index_key(name: str, sha256: str) -> str:
    return f"datasets/{name}/.uploads/{sha256}.json"
