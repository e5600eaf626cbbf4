from datetime import UTC, datetime

import pytest

from digits import documents
from digits.errors import DamagedObjectError, UnknownError
from digits.models import manifests
from digits.models.manifests import FileInfo, Manifest
from digits.store import Store

CREATED = datetime(2026, 1, 31, 10, 15, tzinfo=UTC)
FILES = {"model.tflite": b"graph", "model.weights.h5": b"weights"}


def manifest_of(files: dict[str, bytes]) -> Manifest:
    return Manifest(
        version=manifests.version_name(CREATED, files),
        dataset="mnist",
        dataset_version="1.0.0",
        code_revision="abc1234",
        parameters={"epochs": 3},
        metrics={"accuracy": 0.99},
        thresholds={"score": 0.5},
        files={name: manifests.file_info(data) for name, data in files.items()},
    )


def test_a_version_name_depends_on_time_and_content() -> None:
    version = manifests.version_name(CREATED, FILES)
    assert version.startswith("20260131T101500Z-")
    assert version == manifests.version_name(CREATED, dict(reversed(FILES.items())))
    other_files = FILES | {"model.tflite": b"another"}
    assert version != manifests.version_name(CREATED, other_files)


def test_a_published_model_is_read_back(store: Store) -> None:
    manifest = manifest_of(FILES)
    manifests.publish(store, manifest, FILES)
    manifests.publish(store, manifest, FILES)
    assert manifests.list_versions(store).ids == [manifest.version]
    assert manifests.load_manifest(store, manifest.version) == manifest
    assert manifests.load_file(store, manifest, "model.tflite") == b"graph"


def test_a_report_may_change_when_a_model_is_published_again(store: Store) -> None:
    manifest = manifest_of(FILES)
    manifests.publish(store, manifest, FILES | {"report.html": b"first"})
    manifests.publish(store, manifest, FILES | {"report.html": b"again"})
    assert manifests.load_report(store, manifest.version) == b"again"
    with pytest.raises(UnknownError, match="report"):
        manifests.load_report(store, "another")


def test_a_model_without_its_manifest_does_not_exist(store: Store) -> None:
    store.write("models/half/model.tflite", b"graph")
    assert manifests.list_versions(store).ids == []
    with pytest.raises(UnknownError, match="half"):
        manifests.load_manifest(store, "half")


def test_files_that_do_not_match_the_manifest_are_not_published(store: Store) -> None:
    other_files = FILES | {"model.tflite": b"another"}
    with pytest.raises(DamagedObjectError, match=r"model\.tflite"):
        manifests.publish(store, manifest_of(FILES), other_files)
    assert manifests.list_versions(store).ids == []


@pytest.mark.parametrize("damage", [b"grapH", b"grap", b""])
def test_a_damaged_file_is_refused(store: Store, damage: bytes) -> None:
    manifest = manifest_of(FILES)
    manifests.publish(store, manifest, FILES)
    store.write(f"models/{manifest.version}/model.tflite", damage)
    with pytest.raises(DamagedObjectError, match=r"model\.tflite"):
        manifests.load_file(store, manifest, "model.tflite")


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 1},
        {"schema_version": None},
        {"files": None},
        {"files": {"model.tflite": {"size": 5}}},
        {"metrics": None},
        {"metrics": {"accuracy": "0.99"}},
        {"thresholds": None},
        {"thresholds": {}},
        {"thresholds": {"score": True}},
        {"version": "another"},
    ],
)
def test_a_manifest_that_cannot_be_trusted_is_refused(
    store: Store, change: dict[str, object]
) -> None:
    manifest = manifest_of(FILES)
    document = documents.to_json(manifest) | change
    store.write_json(f"models/{manifest.version}/manifest.json", document)
    with pytest.raises(DamagedObjectError):
        manifests.load_manifest(store, manifest.version)


def test_a_manifest_that_is_not_json_is_refused(store: Store) -> None:
    store.write("models/v1/manifest.json", b"{")
    with pytest.raises(DamagedObjectError, match="cannot be read"):
        manifests.load_manifest(store, "v1")


def test_size_and_checksum_describe_a_file() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert manifests.file_info(b"") == FileInfo(size=0, sha256=empty)
