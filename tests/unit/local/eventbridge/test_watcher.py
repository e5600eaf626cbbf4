import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from digits.store import Entry, Store
from local.eventbridge import events, watcher
from local.eventbridge.watcher import Watcher


def watch(folder: Path, failures: int = 0) -> tuple[Watcher, list[str], Path]:
    """A watcher of a folder, and the keys that it announces. The first announcements fail."""
    announced: list[str] = []

    async def announce(entry: Entry) -> bool:
        announced.append(entry.key)
        return len(announced) > failures

    raw = folder / "raw"
    raw.mkdir()
    return Watcher(Store(folder.as_uri()), announce), announced, raw


def test_a_finished_upload_is_announced_once(tmp_path: Path) -> None:
    watching, announced, raw = watch(tmp_path)
    (raw / "a.npz").write_bytes(b"a")
    for expected in ([], ["raw/a.npz"], ["raw/a.npz"]):
        asyncio.run(watching.poll())
        assert announced == expected


def test_a_file_that_still_grows_is_left_alone(tmp_path: Path) -> None:
    watching, announced, raw = watch(tmp_path)
    for size in range(1, 5):
        (raw / "a.npz").write_bytes(bytes(size))
        asyncio.run(watching.poll())
    assert announced == []
    asyncio.run(watching.poll())
    assert announced == ["raw/a.npz"]


def test_a_changed_upload_and_a_deleted_one_that_came_back_are_announced_again(
    tmp_path: Path,
) -> None:
    watching, announced, raw = watch(tmp_path)
    for content in (b"a", b"ab", None, b"a"):
        (raw / "a.npz").write_bytes(content) if content else (raw / "a.npz").unlink()
        for _ in range(3):
            asyncio.run(watching.poll())
    assert announced == ["raw/a.npz"] * 3


def test_an_upload_that_is_not_handled_is_announced_again_after_growing_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(watcher, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    watching, announced, raw = watch(tmp_path, failures=10)
    (raw / "a.npz").write_bytes(b"a")
    times = []
    for second in range(2000):
        clock[0] = float(second)
        before = len(announced)
        asyncio.run(watching.poll())
        times += [second] * (len(announced) - before)
    assert times == [1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1111]


def test_an_upload_that_was_announced_at_the_start_is_not_announced_again(
    tmp_path: Path,
) -> None:
    watching, announced, raw = watch(tmp_path)
    (raw / "a.npz").write_bytes(b"a")
    (entry,) = Store(tmp_path.as_uri()).entries("raw")
    asyncio.run(watching.announce(entry))
    for _ in range(3):
        asyncio.run(watching.poll())
    assert announced == ["raw/a.npz"]


def test_other_files_are_ignored(tmp_path: Path) -> None:
    watching, announced, raw = watch(tmp_path)
    (raw / "README.md").write_bytes(b"a")
    (tmp_path / "b.npz").write_bytes(b"b")
    for _ in range(2):
        asyncio.run(watching.poll())
    assert announced == []


def test_the_event_names_the_object_as_s3_would(tmp_path: Path) -> None:
    store = Store(tmp_path.as_uri())
    store.write("raw/a.npz", b"abc")
    (entry,) = store.entries("raw")
    in_folder = events.object_created(store.url, entry)
    assert (in_folder["source"], in_folder["detail-type"]) == (
        "aws.s3",
        "Object Created",
    )
    assert in_folder["detail"]["bucket"] == {"name": "local"}
    assert in_folder["detail"]["object"] == {
        "key": "raw/a.npz",
        "size": 3,
        "etag": entry.etag.strip('"'),
    }
    in_bucket = events.object_created("s3://bucket/some/prefix/", entry)
    assert in_bucket["detail"]["bucket"] == {"name": "bucket"}
    assert in_bucket["detail"]["object"]["key"] == "some/prefix/raw/a.npz"
