"""The contract of the store, in a folder and on S3."""

import errno
import hashlib
import os
import threading
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from time import monotonic

import httpx
import pytest
from obstore.exceptions import BaseError

from digits.errors import (
    ConflictError,
    DamagedObjectError,
    MissingObjectError,
    StoreError,
)
from digits.store import Store
from tests.faults import Fault, FaultProxy

# More bytes than obstore sends in one request.
LARGE = bytes(range(256)) * 2**16


def keys(store: Store, prefix: str) -> list[str]:
    return [entry.key for entry in store.entries(prefix)]


def test_a_read_returns_the_last_write(store: Store) -> None:
    store.write("a/b", b"first")
    store.write("a/b", b"second")
    assert store.read("a/b") == b"second"
    assert store.entry("a/b").size == 6


def test_an_object_may_be_empty(store: Store) -> None:
    store.write("empty", b"")
    assert store.read("empty") == b""
    assert store.entry("empty").size == 0


def test_read_json_returns_what_write_json_wrote(store: Store) -> None:
    document = {"name": "é", "counts": {"train": 1}, "none": None}
    store.write_json("a.json", document)
    assert store.read_json("a.json") == document


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe"])
def test_an_object_that_is_not_a_json_object_is_damaged(
    store: Store, data: bytes
) -> None:
    store.write("a.json", data)
    with pytest.raises(DamagedObjectError, match=r"a\.json"):
        store.read_json("a.json")


def test_a_missing_key_raises_missing_object(store: Store) -> None:
    for read in (
        store.read,
        store.read_json,
        store.entry,
        lambda key: store.download(key, BytesIO()),
    ):
        with pytest.raises(MissingObjectError, match="a/b"):
            read("a/b")
    with pytest.raises(MissingObjectError):
        store.entry("a/b")
    assert store.entries("a") == []
    assert store.folders("a") == []


def test_a_key_is_created_once(store: Store) -> None:
    store.create("a/b", b"first")
    with pytest.raises(ConflictError, match="a/b"):
        store.create("a/b", b"second")
    assert store.read("a/b") == b"first"


def test_only_one_of_concurrent_creates_succeeds(store: Store) -> None:
    won: list[int] = []

    def create(number: int) -> None:
        try:
            store.create("key", str(number).encode())
        except ConflictError:
            return
        won.append(number)

    threads = [threading.Thread(target=create, args=[number]) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.read("key")] == [str(number).encode() for number in won]


def test_entries_are_sorted_by_key(store: Store) -> None:
    for key in ("a/10", "a/9", "a/b/c", "ab/x", "b"):
        store.write(key, key.encode())
    assert keys(store, "a") == ["a/10", "a/9", "a/b/c"]
    entry = store.entries("a")[0]
    assert (entry.size, entry.etag != "") == (4, True)
    assert abs(datetime.now(UTC) - entry.modified) < timedelta(minutes=1)


def test_new_content_has_a_new_etag(store: Store) -> None:
    store.write("a/b", b"first")
    (before,) = store.entries("a")
    store.write("a/b", b"other")
    (after,) = store.entries("a")
    assert before.etag != after.etag


def test_folders_are_direct_children(store: Store) -> None:
    for key in ("a/z/file", "a/b/c/file", "a/file", "x/y"):
        store.write(key, b"")
    assert store.folders("a") == ["b", "z"]


def test_a_deleted_object_is_gone(store: Store) -> None:
    store.write("a/b", b"")
    store.delete("a/b")
    with pytest.raises(MissingObjectError):
        store.entry("a/b")
    store.delete("a/b")


def test_an_object_can_be_written_in_pieces(store: Store) -> None:
    with store.writer("a/large") as write:
        for start in range(0, len(LARGE), 2**20):
            write(LARGE[start : start + 2**20])
        assert keys(store, "a") == []
    assert store.read("a/large") == LARGE


def test_a_failed_writer_leaves_the_earlier_object(store: Store) -> None:
    def fail() -> None:
        with store.writer("a/large") as write:
            write(LARGE)
            raise RuntimeError

    store.write("a/large", b"before")
    with pytest.raises(RuntimeError):
        fail()
    assert store.read("a/large") == b"before"
    assert keys(store, "a") == ["a/large"]


def test_a_download_returns_the_checksum(store: Store) -> None:
    store.write("large", LARGE)
    file = BytesIO()
    assert store.download("large", file) == hashlib.sha256(LARGE).hexdigest()
    assert file.getvalue() == LARGE


def test_a_key_cannot_leave_the_folder(file_store: Store, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(StoreError):
        file_store.read("../secret")


def test_a_presigned_url_accepts_an_upload(s3_store: Store) -> None:
    url = s3_store.presigned_put("raw/mnist.npz", timedelta(minutes=5))
    assert url is not None
    httpx.put(url, content=b"upload").raise_for_status()
    assert s3_store.read("raw/mnist.npz") == b"upload"


def test_a_folder_cannot_presign(file_store: Store) -> None:
    assert file_store.presigned_put("raw/mnist.npz", timedelta(minutes=5)) is None


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "memory:///", "nonsense", "https://example.com/x"]
)
def test_a_url_of_another_scheme_is_refused(url: str) -> None:
    with pytest.raises(StoreError):
        Store(url)


def test_an_outage_raises_when_the_patience_ends(
    s3_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    unreachable = Store(s3_store.url, patience=timedelta(seconds=1))
    started = monotonic()
    with pytest.raises(StoreError, match="a/b"):
        unreachable.read("a/b")
    with pytest.raises(StoreError):
        unreachable.download("a/b", BytesIO())
    assert 1 < monotonic() - started < 20


@pytest.mark.usefixtures("s3_store")
def test_a_missing_bucket_is_not_a_missing_object() -> None:
    nowhere = Store("s3://no-such-bucket/x")
    for request in (nowhere.read, nowhere.entries, lambda key: nowhere.write(key, b"")):
        with pytest.raises(StoreError) as caught:
            request("a/b")
        assert not isinstance(caught.value, MissingObjectError)


def test_temporary_files_of_killed_writers_are_leftovers_and_not_listed(
    file_store: Store, tmp_path: Path
) -> None:
    file_store.write("a/b", b"")
    left = tmp_path / "store" / "a" / "c#1"
    left.write_bytes(b"unfinished")
    assert keys(file_store, "a") == ["a/b"]
    assert file_store.leftovers(timedelta(hours=1)) == []
    os.utime(left, (0, 0))
    # Like a file that a writer renames between listing and stat.
    (tmp_path / "store" / "a" / "gone#1").symlink_to("nowhere")
    assert file_store.leftovers(timedelta(hours=1)) == [left]


@pytest.mark.parametrize(
    "fault", [Fault.LOST_REPLY, Fault.PRECONDITION_FAILED, Fault.CONDITIONAL_CONFLICT]
)
def test_a_retried_create_recognises_its_own_object(
    faults: FaultProxy, faulty_store: Store, fault: Fault
) -> None:
    if fault is Fault.PRECONDITION_FAILED:
        faulty_store.write("own", b"mine")
    faults.add(fault, method="PUT", key="own", times=1)
    faulty_store.create("own", b"mine")
    assert faulty_store.read("own") == b"mine"
    with pytest.raises(ConflictError):
        faulty_store.create("own", b"another's")


def test_a_temporary_failure_is_retried(
    faults: FaultProxy, faulty_store: Store
) -> None:
    """Two seconds of 503 are several tries; the patience counts, not the number of tries."""
    faulty_store.write("a", b"before")
    until = monotonic() + 2
    rule = faults.add(Fault.SLOW_DOWN, key="a")
    threading.Timer(2, faults.clear).start()
    assert faulty_store.read("a") == b"before"
    assert monotonic() > until
    assert rule.hits > 2


@pytest.mark.parametrize(
    "fault", [Fault.HANG, Fault.TRUNCATED, Fault.RESET, Fault.INTERNAL_ERROR]
)
def test_a_lasting_failure_raises(
    faults: FaultProxy, faulty_store: Store, fault: Fault
) -> None:
    faulty_store.write("a", LARGE)
    faults.add(fault, method="GET")
    impatient = Store(faulty_store.url, patience=timedelta(seconds=1))
    started = monotonic()
    for read in (impatient.read, lambda key: impatient.download(key, BytesIO())):
        with pytest.raises(StoreError) as caught:
            read("a")
        assert not isinstance(caught.value, MissingObjectError)
    assert monotonic() - started < 10


def test_an_error_of_the_local_disk_is_not_a_missing_object(
    store: Store,
) -> None:
    store.write("a", b"x")

    class Full(BytesIO):
        def write(self, _: object) -> int:
            raise FileNotFoundError(errno.ENOENT, "No such folder")

    with pytest.raises(FileNotFoundError):
        store.download("a", Full())


def test_a_walk_starts_after_a_key(store: Store) -> None:
    for key in ("a/1", "a/2", "a/3", "b"):
        store.write(key, b"")
    assert [entry.key for entry in store.walk("a", after="a/1")] == ["a/2", "a/3"]
    assert [entry.key for entry in store.walk("a")] == ["a/1", "a/2", "a/3"]


def test_an_error_without_a_message_gives_its_type(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise BaseError

    monkeypatch.setattr("obstore.get", fail)
    with pytest.raises(StoreError, match="BaseError"):
        file_store.read("a")
