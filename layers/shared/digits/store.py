"""The object store: a folder (`file:///folder`) or S3 (`s3://bucket/prefix`), behind one interface.

Every write is atomic: no reader sees part of an object, on S3 or in a folder.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from time import monotonic, sleep, time
from typing import IO, TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError
from obstore.store import LocalStore, S3Store, from_url

from digits.errors import (
    ConflictError,
    DamagedObjectError,
    MissingObjectError,
    StoreError,
)

if TYPE_CHECKING:
    from obstore import ObjectMeta

# A request must fail while its caller is waiting: API Gateway gives up after 29 s.
PATIENCE = timedelta(seconds=10)
_CONNECT_TIMEOUT = timedelta(seconds=3)
# The share of the patience for which a try may receive no bytes. The rest is time for a
# second try.
_STANDSTILL = 0.4
# For a whole try. An upload of 512 MiB may take long, if bytes keep moving.
_TIMEOUT = timedelta(minutes=15)
# High enough that only the patience ends the tries. Fast failures, such as 503, would
# use up a small number of tries in half a second.
_MAX_RETRIES = 1000
# The first and the longest pause between two tries, as shares of the patience.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.1
# Entries per page of a listing: S3 lists at most 1,000 per request.
_ENTRIES_PER_PAGE = 1000
# object_store writes a file under such a name, and then renames the file.
_STAGED = re.compile(r".+#[0-9]+")


class Entry(NamedTuple):
    """One object in a listing.

    Attributes:
        key: of the object.
        size: in bytes.
        modified: when the object was written, in UTC.
        etag: the entity tag, which changes with the content.
    """

    key: str
    size: int
    modified: datetime
    etag: str


class Store:
    """Objects under one URL.

    Args:
        url: `s3://bucket/prefix` or `file:///folder`. S3 uses the usual AWS variables,
            such as `AWS_ENDPOINT_URL`. A missing folder is created.
        patience: how long to retry while S3 does not answer.

    Raises:
        StoreError: from every method, when the store does not answer. `read`,
            `read_json`, `entry` and `download` raise `MissingObjectError` for a missing
            key.
    """

    def __init__(self, url: str, patience: timedelta = PATIENCE) -> None:
        self.url = url
        self._patience = patience.total_seconds()
        with _store_errors(url):
            if urlsplit(url).scheme == "file":
                self._store: LocalStore | S3Store = LocalStore.from_url(url, mkdir=True)
            else:
                self._store = _open_s3(url, patience)

    def read(self, key: str) -> bytes:
        """Read an object."""
        with _store_errors(key):
            return bytes(obstore.get(self._store, key).bytes())

    def read_json(self, key: str) -> dict[str, Any]:
        """Read a JSON object.

        Raises:
            DamagedObjectError: the stored object is not a JSON object.
        """
        try:
            document = json.loads(self.read(key))
        except (ValueError, RecursionError) as error:
            raise DamagedObjectError(f"{key} is not JSON: {error}.") from error
        if not isinstance(document, dict):
            raise DamagedObjectError(
                f"{key} holds {type(document).__name__}, not a JSON object."
            )
        return document

    def write(self, key: str, data: bytes) -> None:
        """Write an object, replacing an earlier object."""
        with _store_errors(key):
            obstore.put(self._store, key, data)

    def write_json(self, key: str, document: dict[str, Any]) -> None:
        """Write a document as JSON, replacing an earlier object."""
        self.write(key, _to_json(document))

    def create(self, key: str, data: bytes) -> None:
        """Write an object, unless the key is taken.

        A retry after a lost reply finds the object that the first try wrote. So an
        object with the same bytes counts as the caller's own. Callers that must exclude
        each other write different bytes.

        Raises:
            ConflictError: the key is taken by other bytes. Of several callers that
                create the key at the same time, one succeeds.
        """
        for is_last in self._tries():
            try:
                with _store_errors(key):
                    obstore.put(self._store, key, data, mode="create")
            except ConflictError:
                stored = self._read_if_any(key)
                if stored == data:
                    return
                # While another write is going on, S3 reports a conflict on a free key
                # (409 ConditionalRequestConflict).
                if stored is not None or is_last:
                    raise
            except StoreError as error:
                # obstore does not retry a create, because a create is not idempotent.
                if is_last or not isinstance(error.__cause__, GenericError):
                    raise
            else:
                return

    def _read_if_any(self, key: str) -> bytes | None:
        try:
            return self.read(key)
        except MissingObjectError:
            return None

    def _tries(self) -> Iterator[bool]:
        """Pause between tries, until the patience ends; yields whether a try is the last."""
        if isinstance(self._store, LocalStore):
            yield True
            return
        deadline = monotonic() + self._patience
        for tries in count():
            is_last = monotonic() > deadline
            yield is_last
            if is_last:
                return
            pause = min(_FIRST_PAUSE * 2**tries, _LONGEST_PAUSE)
            sleep(self._patience * pause)

    def entry(self, key: str) -> Entry:
        """The entry of an object in a listing."""
        with _store_errors(key):
            return _to_entry(obstore.head(self._store, key))

    def exists(self, key: str) -> bool:
        """Whether the key is in the store."""
        try:
            self.entry(key)
        except MissingObjectError:
            return False
        return True

    def entries(self, prefix: str) -> list[Entry]:
        """List every object under the folder `prefix`, by key."""
        return list(self.walk(prefix))

    def walk(self, prefix: str, after: str | None = None) -> Iterator[Entry]:
        """List the objects under the folder `prefix` by key, a page at a time on demand.

        Args:
            prefix: the folder.
            after: a key to start after. The listing skips objects up to this key.
        """
        with _store_errors(prefix):
            listing = obstore.list(
                self._store, prefix, offset=after, chunk_size=_ENTRIES_PER_PAGE
            )
            if isinstance(self._store, LocalStore):
                # A folder's listing is unordered.
                yield from sorted(map(_to_entry, listing.collect()))
                return
            for page in listing:
                yield from map(_to_entry, page)

    def folders(self, prefix: str) -> list[str]:
        """The names of the folders directly under the folder `prefix`, sorted."""
        with _store_errors(prefix):
            listing = obstore.list_with_delimiter(self._store, prefix)
        return sorted(path.rpartition("/")[2] for path in listing["common_prefixes"])

    def delete(self, key: str) -> None:
        """Delete an object. Deleting a missing object does nothing."""
        try:
            with _store_errors(key):
                obstore.delete(self._store, key)
        except MissingObjectError:
            return

    @contextmanager
    def writer(self, key: str) -> Iterator[Callable[[bytes], None]]:
        """Write a large object piece by piece, in bounded memory.

        The block gets a function that takes a piece. The object appears when the block
        ends without an error, and not before.
        """
        with _store_errors(key):
            writable = obstore.open_writer(self._store, key)

        def write(piece: bytes) -> None:
            with _store_errors(key):
                writable.write(piece)

        yield write
        with _store_errors(key):
            writable.close()

    def download(self, key: str, file: IO[bytes]) -> str:
        """Copy an object into a local file, in bounded memory.

        Returns:
            The sha256 of the bytes, in hexadecimal.
        """
        digest = hashlib.sha256()
        for chunk in self._chunks(key):
            digest.update(chunk)
            file.write(chunk)
        return digest.hexdigest()

    def _chunks(self, key: str) -> Iterator[bytes]:
        with _store_errors(key):
            chunks = iter(obstore.get(self._store, key).stream())
        while True:
            with _store_errors(key):
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield bytes(chunk)

    def leftovers(self, age: timedelta) -> list[Path]:
        """Temporary files of killed writers in a folder, which no reader sees and no write removes.

        On S3 the bucket's lifecycle rule ends unfinished uploads.

        Args:
            age: how old a file must be, because a younger file's writer may be alive.
        """
        if not isinstance(self._store, LocalStore):
            return []
        before = time() - age.total_seconds()
        folder = Path(unquote(urlsplit(self.url).path))
        leftovers = []
        for path in folder.rglob("*#*"):
            # A living writer may rename the file at this moment.
            with suppress(FileNotFoundError):
                if _STAGED.fullmatch(path.name) and path.stat().st_mtime < before:
                    leftovers.append(path)
        return leftovers

    def presigned_put(self, key: str, expires_in: timedelta) -> str | None:
        """A URL to which anyone may PUT this object; None for a folder, which cannot presign."""
        if not isinstance(self._store, S3Store):
            return None
        with _store_errors(key):
            return obstore.sign(self._store, "PUT", key, expires_in)


def _to_entry(item: "ObjectMeta") -> Entry:
    return Entry(item["path"], item["size"], item["last_modified"], item["e_tag"] or "")


def _open_s3(url: str, patience: timedelta) -> S3Store:
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    store = from_url(
        url,
        client_options={
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": _CONNECT_TIMEOUT,
            "read_timeout": patience * _STANDSTILL,
            "timeout": _TIMEOUT,
        },
        retry_config={
            "backoff": {
                "init_backoff": patience * _FIRST_PAUSE,
                "max_backoff": patience * _LONGEST_PAUSE,
            },
            "max_retries": _MAX_RETRIES,
            "retry_timeout": patience,
        },
    )
    if not isinstance(store, S3Store):
        raise StoreError(
            f"DIGITS_STORE is {url!r}. Give s3://bucket/prefix or file:///folder."
        )
    return store


def _to_json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=2).encode() + b"\n"


@contextmanager
def _store_errors(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        # S3 also answers 404 for a missing bucket, which no caller can handle as a
        # missing object.
        if "NoSuchBucket" in str(error):
            raise StoreError(
                "The object store's bucket does not exist. "
                "Set DIGITS_STORE to an existing bucket."
            ) from error
        raise MissingObjectError(f"{key} is not in the store.") from error
    except AlreadyExistsError as error:
        raise ConflictError(f"{key} exists already.") from error
    except (BaseError, ValueError, OSError) as error:
        reason, *_ = str(error).splitlines() or [type(error).__name__]
        raise StoreError(f"The object store could not serve {key}: {reason}") from error
