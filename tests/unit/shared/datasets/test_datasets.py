"""Datasets in a folder and on S3. tests/integration/test_tfds.py reads datasets with TFDS."""

import hashlib
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digits import datasets
from digits.datasets import (
    DatasetVersion,
    convert,
    ingest,
    latest_version,
    listing,
    npz,
    shard_keys,
    tfds,
    uploads,
    versions,
)
from digits.errors import (
    ConflictError,
    DamagedObjectError,
    InvalidDatasetError,
    StoreError,
    UnknownError,
)
from digits.store import Store

MakeNpz = Callable[..., Path]

COUNTS = {"train": 37, "test": 11}


def content(store: Store, prefix: str) -> dict[str, bytes]:
    return {entry.key: store.read(entry.key) for entry in store.entries(prefix)}


def versions_of(store: Store) -> list[DatasetVersion]:
    return list(versions.complete_versions(store, "small"))


def list_datasets(store: Store) -> list[dict[str, Any]]:
    return listing.list_datasets(store).datasets


def upload(store: Store, name: str, path: Path) -> None:
    store.write(uploads.upload_key(name), path.read_bytes())


@pytest.fixture
def bad_npz(make_npz: MakeNpz) -> Path:
    return make_npz(x_train=np.zeros((37, 27, 27), np.uint8))


@pytest.fixture
def other_npz(make_npz: MakeNpz) -> Path:
    return make_npz(y_test=np.zeros(11, np.uint8))


def test_a_file_becomes_a_version(store: Store, small_npz: Path) -> None:
    made = convert(store, "small", small_npz)
    assert (made.name, made.version, made.counts) == ("small", "1.0.0", COUNTS)
    assert made.sha256 == hashlib.sha256(small_npz.read_bytes()).hexdigest()
    assert latest_version(store, "small") == made
    folder = "datasets/small/1.0.0"
    assert list(content(store, folder)) == [
        f"{folder}/dataset_info.json",
        f"{folder}/features.json",
        f"{folder}/small-test.tfrecord-00000-of-00001",
        f"{folder}/small-train.tfrecord-00000-of-00001",
        f"{folder}/source.json",
    ]
    keys = shard_keys(store, made, "train")
    assert keys == [f"{folder}/small-train.tfrecord-00000-of-00001"]


def test_source_json_names_the_upload_and_the_converter(
    store: Store, small_npz: Path
) -> None:
    made = convert(store, "small", small_npz)
    assert store.read_json("datasets/small/1.0.0/source.json") == {
        "schema_version": 1,
        "sha256": made.sha256,
        "counts": COUNTS,
        "converter_version": 1,
    }


def test_a_large_split_has_several_files(file_store: Store, make_npz: MakeNpz) -> None:
    count = tfds.EXAMPLES_PER_SHARD + 1
    images = np.random.default_rng(0).integers(0, 256, (count, 28, 28), np.uint8)
    path = make_npz(x_train=images, y_train=np.zeros(count, np.uint8))
    made = convert(file_store, "large", path)
    keys = shard_keys(file_store, made, "train")
    assert [key[-14:] for key in keys] == ["00000-of-00002", "00001-of-00002"]
    first, second = (file_store.entry(key).size for key in keys)
    assert first == second * tfds.EXAMPLES_PER_SHARD


def test_progress_reaches_the_number_of_images(
    file_store: Store, make_npz: MakeNpz
) -> None:
    count = npz.CHUNK + 1
    images = np.random.default_rng(0).integers(0, 256, (count, 28, 28), np.uint8)
    steps: list[tuple[int, int]] = []
    path = make_npz(x_train=images, y_train=np.zeros(count, np.uint8))

    def on_progress(done: int, total: int) -> None:
        steps.append((done, total))

    convert(file_store, "large", path, on_progress=on_progress)
    total = count + COUNTS["test"]
    assert steps == [(npz.CHUNK, total), (count, total), (total, total)]


def test_memory_does_not_grow_with_the_file(file_store: Store, tmp_path: Path) -> None:
    peaks = []
    random = np.random.default_rng(0)
    for shards in (1, 3):
        count = shards * tfds.EXAMPLES_PER_SHARD
        images = random.integers(0, 256, (count, 28, 28), np.uint8)
        labels = np.zeros(count, np.uint8)
        np.savez(
            tmp_path / "large.npz",
            x_train=images,
            y_train=labels,
            x_test=images[:1],
            y_test=labels[:1],
        )
        tracemalloc.start()
        convert(file_store, "large", tmp_path / "large.npz")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2**20


def test_a_repeated_conversion_writes_nothing(store: Store, small_npz: Path) -> None:
    made = convert(store, "small", small_npz)
    before = store.entries("")
    assert convert(store, "small", small_npz) == made
    assert store.entries("") == before


def test_the_same_file_gives_the_same_bytes(
    file_store: Store, small_npz: Path, tmp_path: Path
) -> None:
    other = Store((tmp_path / "other").as_uri())
    convert(file_store, "small", small_npz)
    convert(other, "small", small_npz)
    assert content(file_store, "datasets") == content(other, "datasets")


def test_another_file_becomes_the_next_version(
    store: Store, small_npz: Path, other_npz: Path
) -> None:
    first = convert(store, "small", small_npz)
    second = convert(store, "small", other_npz)
    assert (first.version, second.version) == ("1.0.0", "2.0.0")
    assert latest_version(store, "small") == second
    assert convert(store, "small", small_npz) == first


def test_versions_are_ordered_by_number(
    store: Store, small_npz: Path, make_npz: MakeNpz
) -> None:
    convert(store, "small", small_npz)
    for name, data in content(store, "datasets/small/1.0.0").items():
        store.write(name.replace("/1.0.0/", "/9.0.0/"), data)
    # A store from before there were hints.
    store.delete("datasets/small/.newest.json")
    made = convert(store, "small", make_npz(y_test=np.ones(11, np.uint8)))
    assert made.version == "10.0.0"
    assert latest_version(store, "small") == made


@pytest.mark.parametrize("kept", range(1, 5))
def test_an_interrupted_conversion_is_invisible_and_done_again(
    store: Store, small_npz: Path, other_npz: Path, kept: int
) -> None:
    """A conversion writes source, shards, features and info, in this order."""
    whole = convert(store, "small", small_npz)
    expected = content(store, "datasets/small/1.0.0")
    order = sorted(
        expected,
        key=lambda key: (
            not key.endswith("source.json"),
            ".tfrecord" not in key,
            "info" in key,
        ),
    )
    for key in order[kept:]:
        store.delete(key)
    with pytest.raises(UnknownError):
        latest_version(store, "small")
    assert list_datasets(store) == [{"name": "small", "versions": []}]
    assert convert(store, "small", other_npz).version == "2.0.0"
    assert convert(store, "small", small_npz) == whole
    assert content(store, "datasets/small/1.0.0") == expected


def test_a_conversion_that_an_older_converter_began_is_abandoned(
    store: Store, small_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(store, "small", small_npz)
    store.delete("datasets/small/1.0.0/dataset_info.json")
    monkeypatch.setattr(versions, "CONVERTER_VERSION", 2)
    assert convert(store, "small", small_npz).version == "2.0.0"


def test_different_files_at_once_get_different_versions(
    store: Store, make_npz: MakeNpz
) -> None:
    paths = [make_npz(y_test=np.full(11, label, np.uint8)) for label in range(8)]
    with ThreadPoolExecutor(len(paths)) as pool:
        made = list(pool.map(lambda path: convert(store, "small", path), paths))
    names = {version.version for version in made}
    assert names == {f"{number}.0.0" for number in range(1, 9)}
    stored = {version.sha256 for version in versions_of(store)}
    assert stored == {version.sha256 for version in made}


def test_the_same_file_at_once_becomes_one_version(
    store: Store, small_npz: Path
) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: convert(store, "small", small_npz), range(8)))
    assert len(set(map(str, made))) == 1
    assert versions_of(store) == made[:1]


@pytest.mark.parametrize(
    "name", ["", "Small", "1small", "a-b", "a/b", "../a", "a" * 64, "a\n", "é"]
)
def test_a_name_that_tfds_refuses_is_refused(
    file_store: Store, small_npz: Path, name: str
) -> None:
    with pytest.raises(InvalidDatasetError, match="name"):
        convert(file_store, name, small_npz)
    with pytest.raises(InvalidDatasetError, match="name"):
        ingest(file_store, name)
    assert file_store.entries("") == []


def test_a_refused_file_leaves_the_store_unchanged(store: Store, bad_npz: Path) -> None:
    with pytest.raises(InvalidDatasetError, match=r"27, 27"):
        convert(store, "small", bad_npz)
    assert store.entries("") == []


def test_an_upload_becomes_a_version(store: Store, small_npz: Path) -> None:
    upload(store, "small", small_npz)
    made = ingest(store, "small")
    assert made == latest_version(store, "small") == ingest(store, "small")


def test_the_reason_of_a_refusal_is_listed_until_an_upload_is_accepted(
    store: Store, small_npz: Path, bad_npz: Path
) -> None:
    upload(store, "small", bad_npz)
    with pytest.raises(InvalidDatasetError, match="27, 27") as refused:
        ingest(store, "small")
    sha256 = hashlib.sha256(bad_npz.read_bytes()).hexdigest()
    problem = refused.value.problem() | {"sha256": sha256}
    assert list_datasets(store) == [
        {"name": "small", "versions": [], "problem": problem}
    ]
    with pytest.raises(InvalidDatasetError, match=r"refused.*27, 27"):
        latest_version(store, "small")

    upload(store, "small", small_npz)
    made = ingest(store, "small")
    assert list_datasets(store) == [
        {"name": "small", "versions": [{"version": "1.0.0", "counts": COUNTS}]}
    ]

    upload(store, "small", bad_npz)
    with pytest.raises(InvalidDatasetError):
        ingest(store, "small")
    assert latest_version(store, "small") == made
    assert list_datasets(store)[0]["problem"] == problem


def test_a_too_large_upload_is_refused_before_the_download(
    store: Store, small_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "MAX_UPLOAD_BYTES", 1000)
    upload(store, "small", small_npz)
    monkeypatch.delattr(Store, "download")
    with pytest.raises(InvalidDatasetError, match="limit is"):
        ingest(store, "small")
    with pytest.raises(InvalidDatasetError, match="limit is"):
        convert(store, "small", small_npz)
    assert list_datasets(store)[0]["problem"]["sha256"] is None


def test_an_upload_is_listed_until_its_conversion(
    store: Store, small_npz: Path, other_npz: Path
) -> None:
    upload(store, "small", small_npz)
    upload(store, "No-Name", small_npz)
    assert list_datasets(store) == [
        {"name": "small", "versions": [], "upload": "converting"}
    ]
    with pytest.raises(ConflictError, match="is being converted"):
        latest_version(store, "small")
    ingest(store, "small")
    assert "upload" not in list_datasets(store)[0]
    upload(store, "small", other_npz)
    assert list_datasets(store)[0]["upload"] == "converting"
    assert latest_version(store, "small").version == "1.0.0"


def test_an_old_upload_without_a_conversion_is_stalled(
    store: Store, small_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(store, "small", small_npz)
    monkeypatch.setattr(uploads, "_STALLED_AFTER", timedelta(0))
    assert list_datasets(store) == [
        {"name": "small", "versions": [], "upload": "stalled"}
    ]
    with pytest.raises(InvalidDatasetError, match="Upload it again"):
        latest_version(store, "small")


def test_without_an_upload_there_is_no_dataset(store: Store) -> None:
    for load in (ingest, latest_version):
        with pytest.raises(UnknownError, match="POST /datasets"):
            load(store, "small")
    assert list_datasets(store) == []


@pytest.mark.parametrize(
    "document",
    [
        {"schema_version": 2},
        {"schema_version": 1},
        {"schema_version": 1, "counts": COUNTS},
        {},
    ],
)
def test_a_version_with_a_damaged_source_json_is_not_used(
    store: Store, small_npz: Path, document: dict[str, Any]
) -> None:
    convert(store, "small", small_npz)
    store.write_json("datasets/small/1.0.0/source.json", document)
    with pytest.raises(DamagedObjectError, match=r"source\.json"):
        latest_version(store, "small")


@pytest.mark.parametrize(
    "document", [{}, {"splits": []}, {"splits": None}, {"splits": [{"name": "train"}]}]
)
def test_a_damaged_dataset_info_json_names_no_files(
    store: Store, small_npz: Path, document: dict[str, Any]
) -> None:
    made = convert(store, "small", small_npz)
    store.write_json("datasets/small/1.0.0/dataset_info.json", document)
    with pytest.raises(DamagedObjectError, match="train"):
        shard_keys(store, made, "train")


def test_an_outage_does_not_refuse_the_upload(
    s3_store: Store, small_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(s3_store, "small", small_npz)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StoreError):
        ingest(Store(s3_store.url, patience=timedelta(seconds=0.5)), "small")
    assert s3_store.entries("datasets") == []
