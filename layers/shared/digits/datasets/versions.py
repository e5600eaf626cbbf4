"""The versions of a dataset in the store: which exist, and who may write the next.

Creating source.json claims a version. dataset_info.json completes the version, which
never changes again. Readers see complete versions only. `.uploads/<sha256>.json` says
which version an upload became.
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
# Raise this number when the same upload would be converted to other bytes: a version
# that an older converter began is then abandoned.
CONVERTER_VERSION = 1

_SOURCE_FILE = "source.json"
_VERSION_PATTERN = re.compile(r"([1-9][0-9]{0,17})\.0\.0")


@dataclass(frozen=True)
class DatasetVersion:
    """One version of a dataset.

    Attributes:
        name: the dataset's name.
        version: `1.0.0`, `2.0.0`, …
        counts: examples per split, `train` and `test`.
        sha256: of the upload that became this version, in hexadecimal.
    """

    name: str
    version: str
    counts: dict[Split, int]
    sha256: str

    def key(self, file: str) -> str:
        """The key of a file of this version."""
        return f"datasets/{self.name}/{self.version}/{file}"


@dataclass(frozen=True)
class _Source:
    """source.json: the upload that a version is made of."""

    sha256: str
    counts: dict[Split, int]
    converter_version: int
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True)
class _Indexed:
    """.uploads/<sha256>.json: the number of the version that an upload became."""

    number: int


def version_name(number: int) -> str:
    """The name of a version, such as `2.0.0`."""
    return f"{number}.0.0"


def version_number(version: str) -> int | None:
    """The number in the name of a version; None if the name is not a version's."""
    match = _VERSION_PATTERN.fullmatch(version)
    return int(match[1]) if match else None


def latest_version(store: Store, name: str) -> DatasetVersion | None:
    """The newest complete version; None if there is no complete version.

    Raises:
        DamagedObjectError: the version's source.json cannot be trusted.
    """
    return next(complete_versions(store, name), None)


def complete_versions(store: Store, name: str) -> Iterator[DatasetVersion]:
    """The complete versions of a dataset, newest first.

    Raises:
        DamagedObjectError: a version's source.json cannot be trusted.
    """
    newest = _series(store, name).newest()
    for number in range(newest.number, 0, -1):
        if is_complete(store, name, number):
            yield load_version(store, name, number)


def find_version(store: Store, name: str, version: str) -> DatasetVersion:
    """Load a complete version of a dataset.

    Raises:
        DamagedObjectError: the version's source.json cannot be trusted.
        UnknownError: there is no such version.
    """
    number = version_number(version)
    if number and is_complete(store, name, number):
        return load_version(store, name, number)
    raise UnknownError(
        f"There is no dataset {name!r} {version}. List datasets with GET /datasets."
    )


def load_version(store: Store, name: str, number: int) -> DatasetVersion:
    """Load a version by its number, complete or not.

    Raises:
        DamagedObjectError: the version's source.json cannot be trusted.
        MissingObjectError: there is no such version.
    """
    key = _key(name, number, _SOURCE_FILE)
    source = documents.read_document(store, key, _Source)
    return DatasetVersion(name, version_name(number), source.counts, source.sha256)


def newest_numbers(store: Store, name: str, limit: int) -> range:
    """The numbers of the newest versions, complete or not, in ascending order."""
    newest = _series(store, name).newest().number
    first = max(1, newest - limit + 1)
    return range(first, newest + 1)


def is_complete(store: Store, name: str, number: int) -> bool:
    """Whether all files of a version are in the store."""
    return store.exists(_key(name, number, INFO_FILE))


def version_of_upload(store: Store, name: str, sha256: str) -> DatasetVersion | None:
    """The complete version that an upload became; None if there is no such version."""
    _index_old_versions(store, name)
    number = _indexed_number(store, name, sha256)
    if number is None or not is_complete(store, name, number):
        return None
    return load_version(store, name, number)


def claim(
    store: Store, name: str, counts: dict[Split, int], sha256: str
) -> DatasetVersion:
    """Claim the version that an upload is to become: the version it claimed before, or the next.

    Of different uploads that arrive at the same time, each gets a different version.
    """
    source = _Source(sha256, counts, CONVERTER_VERSION)
    series = _series(store, name)

    def is_own(number: int, data: bytes) -> bool:
        claimed = _parse_source(name, number, data)
        if claimed and claimed != source:
            # The claimer may have died before it could index the version.
            _index(store, name, number, claimed)
        return claimed == source

    # The hint is read before the index, because the index has all versions up to the hint.
    hint = series.hint()
    number = _indexed_number(store, name, sha256)
    if number is None or not is_own(number, series.read(number) or b""):
        start = hint.number if hint else 0
        claimed = series.append(start, lambda _: documents.to_bytes(source), is_own)
        _index(store, name, claimed.number, source)
        series.note(claimed)
        number = claimed.number
    return DatasetVersion(name, version_name(number), counts, sha256)


def _index_old_versions(store: Store, name: str) -> None:
    """Index the versions from before there was an index; the hint shows that this was done."""
    series = _series(store, name)
    if series.hint():
        return
    newest = series.newest().number

    def index(number: int) -> None:
        source = _parse_source(name, number, series.read(number) or b"")
        if source and is_complete(store, name, number):
            _index(store, name, number, source)

    parallel.each(index, range(1, newest + 1))
    if newest:
        series.note(Numbered(newest, series.read(newest)))


def _parse_source(name: str, number: int, data: bytes) -> _Source | None:
    """Parse a source.json; None if it is damaged, and so claims the version for no upload."""
    key = _key(name, number, _SOURCE_FILE)
    try:
        return documents.parse_document(data, _Source, key)
    except DamagedObjectError:
        return None


def _index(store: Store, name: str, number: int, source: _Source) -> None:
    store.write(_index_key(name, source.sha256), documents.to_bytes(_Indexed(number)))


def _indexed_number(store: Store, name: str, sha256: str) -> int | None:
    try:
        indexed = documents.read_document(store, _index_key(name, sha256), _Indexed)
    except MissingObjectError:
        return None
    return indexed.number


def _series(store: Store, name: str) -> Series:
    return Series(store, f"datasets/{name}", f"{{}}.0.0/{_SOURCE_FILE}")


def _key(name: str, number: int, file: str) -> str:
    return f"datasets/{name}/{version_name(number)}/{file}"


def _index_key(name: str, sha256: str) -> str:
    return f"datasets/{name}/.uploads/{sha256}.json"
