"""The object store: a folder (`file:///folder`) or S3 (`s3://bucket/prefix`), behind one small interface.

Every write is whole or absent: no reader sees part of an object, on S3 or in a folder.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, S3Store, from_url

from digits.errors import ConflictError, DamagedObjectError, MissingObjectError, StoreError

# A request must fail while its caller still waits: API Gateway gives up after 29 s.
_RETRY_TIMEOUT = timedelta(seconds=10)
_CONNECT_TIMEOUT = timedelta(seconds=3)
_READ_TIMEOUT = timedelta(seconds=10)
_MAX_RETRIES = 3


class Entry(NamedTuple):
    """One object in a listing: its key, its size in bytes, when it was written (UTC) and its entity tag."""

    key: str
    size: int
    modified: datetime
    etag: str


class Store:
    """Objects under one URL.

    Args:
        url: `s3://bucket/prefix` or `file:///folder`. For S3 the usual AWS variables count, `AWS_ENDPOINT_URL` among
            them. A folder is made when it does not exist.

    Raises:
        StoreError: from every method, when the store does not answer. `read`, `read_json`, `size` and `download`
            raise `MissingObjectError` for a key that is not there.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        with _store_errors(url):
            if urlsplit(url).scheme == "file":
                self._store: LocalStore | S3Store = LocalStore.from_url(url, mkdir=True)
            else:
                self._store = _open_s3(url)

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
        except ValueError as error:
            raise DamagedObjectError(f"{key} is not JSON: {error}.") from error
        if not isinstance(document, dict):
            raise DamagedObjectError(f"{key} holds {type(document).__name__}, not a JSON object.")
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

        Raises:
            ConflictError: the key is taken. Of several that create it at once, one succeeds.
        """
        with _store_errors(key):
            obstore.put(self._store, key, data, mode="create")

    def create_json(self, key: str, document: dict[str, Any]) -> None:
        """`create` for a JSON document."""
        self.create(key, _to_json(document))

    def size(self, key: str) -> int:
        """The object's size in bytes."""
        with _store_errors(key):
            return obstore.head(self._store, key)["size"]

    def entries(self, prefix: str) -> list[Entry]:
        """Every object under the folder `prefix`, in the order of the keys."""
        with _store_errors(prefix):
            found = [item for batch in obstore.list(self._store, prefix) for item in batch]
        return sorted(Entry(item["path"], item["size"], item["last_modified"], item["e_tag"] or "") for item in found)

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

    def download(self, key: str, path: Path) -> str:
        """Copy the object to a local file in bounded memory.

        Returns:
            The sha256 of the bytes, in hexadecimal.
        """
        digest = hashlib.sha256()
        with _store_errors(key), path.open("wb") as file:
            for chunk in obstore.get(self._store, key).stream():
                digest.update(chunk)
                file.write(chunk)
        return digest.hexdigest()

    def presigned_put(self, key: str, expires_in: timedelta) -> str | None:
        """A URL that anyone may PUT this one object to; None for a folder, which has nobody to ask."""
        if not isinstance(self._store, S3Store):
            return None
        with _store_errors(key):
            return obstore.sign(self._store, "PUT", key, expires_in)


def _open_s3(url: str) -> S3Store:
    store = from_url(
        url,
        client_options={
            "allow_http": os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"),
            "connect_timeout": _CONNECT_TIMEOUT,
            "read_timeout": _READ_TIMEOUT,
        },
        retry_config={"max_retries": _MAX_RETRIES, "retry_timeout": _RETRY_TIMEOUT},
    )
    if not isinstance(store, S3Store):
        raise StoreError(f"DIGITS_STORE is {url!r}: give s3://bucket/prefix or file:///folder.")
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
            raise StoreError("The object store's bucket does not exist. Set DIGITS_STORE to one that does.") from error
        raise MissingObjectError(f"{key} is not in the store.") from error
    except AlreadyExistsError as error:
        raise ConflictError(f"{key} exists already.") from error
    except (BaseError, ValueError, OSError) as error:
        raise StoreError(f"The object store could not serve {key}: {str(error).splitlines()[0]}") from error
