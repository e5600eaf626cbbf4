"""The object store: a folder (`file:///folder`) or S3 (`s3://bucket/prefix`), behind one small interface.

Every write is whole or absent: no reader sees part of an object, on S3 or in a folder.
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

# A request must fail while its caller still waits: API Gateway gives up after 29 s.
PATIENCE = timedelta(seconds=10)
_CONNECT_TIMEOUT = timedelta(seconds=3)
# One try may stand still for this share of the patience, so that there is time for a second one.
_STANDSTILL = 0.4
# Of a whole try. An upload of 512 MiB may take long, as long as it goes on.
_TIMEOUT = timedelta(minutes=15)
# Patience alone decides: fast failures, such as 503, would use up a small number of
# tries in half a second.
_MAX_RETRIES = 1000
# The first and the longest pause between two tries, as shares of the patience: so that
# they are many.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.1
_CHUNK = 1000
# What object_store writes in a folder before it renames it.
_STAGED = re.compile(r".+#[0-9]+")


class Entry(NamedTuple):
    """One object in a listing: its key, its size in bytes, when it was written (UTC) and its entity tag."""

    key: str
    size: int
    modified: datetime
    etag: str


class Store:
    """Objects under one URL.

    Args:
        url: `s3://bucket/prefix` or `file:///folder`. For S3 the usual AWS variables
            count, `AWS_ENDPOINT_URL` among them. A folder is made when it does not
            exist.
        patience: how long to try again while S3 does not answer.

    Raises:
        StoreError: from every method, when the store does not answer. `read`,
            `read_json`, `entry` and `download` raise `MissingObjectError` for a key
            that is not there.
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
        """The object's bytes."""
        with _store_errors(key):
            return bytes(obstore.get(self._store, key).bytes())

    def read_json(self, key: str) -> dict[str, Any]:
        """The object, which must be a JSON object.

        Raises:
            DamagedObjectError: it is something else.
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
        """Put the object, replacing what was there."""
        with _store_errors(key):
            obstore.put(self._store, key, data)

    def write_json(self, key: str, document: dict[str, Any]) -> None:
        """Put the document as JSON, replacing what was there."""
        self.write(key, _to_json(document))

    def create(self, key: str, data: bytes) -> None:
        """Put the object where there is none.

        A put whose answer was lost is tried again and finds its own object, so the same
        bytes count as one's own. Two callers that must not be taken for each other
        write something that tells them apart.

        Raises:
            ConflictError: the key is taken by other bytes. Of several that create it at
                once, one succeeds.
        """
        for is_last in self._tries():
            try:
                with _store_errors(key):
                    obstore.put(self._store, key, data, mode="create")
            except ConflictError:
                found = self._read_if_any(key)
                if found == data:
                    return
                # Where nothing is, S3 answers so beside another write (409
                # ConditionalRequestConflict).
                if found is not None or is_last:
                    raise
            except StoreError as error:
                # obstore tries again what may be done twice, and this may not.
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
        """One turn for each try, with growing pauses between them, until patience ends: whether it is the last."""
        if isinstance(self._store, LocalStore):
            yield True
            return
        deadline = monotonic() + self._patience
        for tries in count():
            is_last = monotonic() > deadline
            yield is_last
            if is_last:
                return
            sleep(self._patience * min(_FIRST_PAUSE * 2**tries, _LONGEST_PAUSE))

    def entry(self, key: str) -> Entry:
        """What a listing would say of the object."""
        with _store_errors(key):
            return _to_entry(obstore.head(self._store, key))

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        try:
            self.entry(key)
        except MissingObjectError:
            return False
        return True

    def entries(self, prefix: str) -> list[Entry]:
        """Every object under the folder `prefix`, in the order of the keys."""
        return list(self.walk(prefix))

    def walk(self, prefix: str, after: str | None = None) -> Iterator[Entry]:
        """The objects under the folder `prefix` in the order of the keys, listed as far as they are asked for.

        Args:
            prefix: the folder.
            after: a key. Objects up to it are left out, without being listed.
        """
        with _store_errors(prefix):
            listed = obstore.list(self._store, prefix, offset=after, chunk_size=_CHUNK)
            if isinstance(self._store, LocalStore):  # It lists in any order.
                yield from sorted(map(_to_entry, listed.collect()))
                return
            for batch in listed:
                yield from map(_to_entry, batch)

    def folders(self, prefix: str) -> list[str]:
        """The names of the folders directly under the folder `prefix`, sorted."""
        with _store_errors(prefix):
            found = obstore.list_with_delimiter(self._store, prefix)["common_prefixes"]
        return sorted(path.rsplit("/", 1)[-1] for path in found)

    def delete(self, key: str) -> None:
        """Delete the object; nothing happens where there is none."""
        try:
            with _store_errors(key):
                obstore.delete(self._store, key)
        except MissingObjectError:
            return

    @contextmanager
    def writer(self, key: str) -> Iterator[Callable[[bytes], None]]:
        """Write a large object piece by piece, in bounded memory: the block gets the function that takes a piece.

        The object appears when the block ends without an error, and not before.
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
        """Copy the object into a local file in bounded memory.

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
        """What killed writers left in a folder at least so long ago: files that no reader sees and no write removes.

        S3 has its own: the bucket's lifecycle ends uploads that were broken off.
        """
        if not isinstance(self._store, LocalStore):
            return []
        before = time() - age.total_seconds()
        found = []
        for path in Path(unquote(urlsplit(self.url).path)).rglob("*#*"):
            with suppress(FileNotFoundError):  # Its writer may end at this moment.
                if _STAGED.fullmatch(path.name) and path.stat().st_mtime < before:
                    found.append(path)
        return found

    def presigned_put(self, key: str, expires_in: timedelta) -> str | None:
        """A URL that anyone may PUT this one object to; None for a folder, which has nobody to ask."""
        if not isinstance(self._store, S3Store):
            return None
        with _store_errors(key):
            return obstore.sign(self._store, "PUT", key, expires_in)


def _to_entry(item: "ObjectMeta") -> Entry:
    return Entry(item["path"], item["size"], item["last_modified"], item["e_tag"] or "")


def _open_s3(url: str, patience: timedelta) -> S3Store:
    store = from_url(
        url,
        client_options={
            "allow_http": os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"),
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
            f"DIGITS_STORE is {url!r}: give s3://bucket/prefix or file:///folder."
        )
    return store


def _to_json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=2).encode() + b"\n"


@contextmanager
def _store_errors(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        # S3 answers 404 for a missing bucket too, and nothing would ever be found in that.
        if "NoSuchBucket" in str(error):
            raise StoreError(
                "The object store's bucket does not exist. Set DIGITS_STORE to one that does."
            ) from error
        raise MissingObjectError(f"{key} is not in the store.") from error
    except AlreadyExistsError as error:
        raise ConflictError(f"{key} exists already.") from error
    except (BaseError, ValueError, OSError) as error:
        reason, *_ = str(error).splitlines() or [type(error).__name__]
        raise StoreError(f"The object store could not serve {key}: {reason}") from error
