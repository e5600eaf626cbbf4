"""The models that `GET /models` and `digits models list` list."""

import pytest

from digits import documents, newest_first
from digits.errors import DamagedObjectError, UnknownError
from digits.models import catalogue, manifests
from digits.models.manifests import BUNDLED, Manifest
from digits.store import Store

MORE_THAN_A_PAGE = newest_first.PAGE + 1


def manifest_of(version: str) -> Manifest:
    files = {"model.tflite": manifests.file_info(b"graph")}
    return Manifest(version, "mnist", "1.0.0", "abc", {}, {}, {"score": 0.5}, files)


BUNDLED_MANIFEST = manifest_of("v0")


def write(store: Store, version: str, manifest: bytes) -> None:
    store.write(f"models/{version}/manifest.json", manifest)


def publish(store: Store, version: str) -> None:
    write(store, version, documents.to_bytes(manifest_of(version)))


def test_the_bundled_model_is_in_a_list_without_others(file_store: Store) -> None:
    page = catalogue.list_models(file_store, BUNDLED_MANIFEST)
    (entry,) = page.entries
    assert entry.name == BUNDLED
    assert page.next is None
    document = entry.to_json()
    assert (document["version"], document["model_version"]) == (BUNDLED, "v0")


def test_the_bundled_model_is_the_last_model_of_the_last_page(
    file_store: Store,
) -> None:
    for number in range(MORE_THAN_A_PAGE):
        publish(file_store, f"v{number + 1}")
    page = catalogue.list_models(file_store, BUNDLED_MANIFEST)
    assert page.next is not None
    assert BUNDLED not in [entry.name for entry in page.entries]
    entries = list(catalogue.list_all_models(file_store, BUNDLED_MANIFEST))
    assert len(entries) == MORE_THAN_A_PAGE + 1
    assert entries[-1].name == BUNDLED


def test_a_manifest_that_cannot_be_read_is_listed_with_its_problem(
    file_store: Store,
) -> None:
    write(file_store, "v1", b"{}")
    entry, _ = catalogue.list_models(file_store, BUNDLED_MANIFEST).entries
    assert entry.manifest is None
    assert entry.to_json() == {"version": "v1", "problem": entry.problem}
    assert "v1" in (entry.problem or "")


def test_a_model_is_found_by_its_version_or_as_the_bundled_model(
    file_store: Store,
) -> None:
    publish(file_store, "v1")
    found = catalogue.find_model(file_store, BUNDLED_MANIFEST, "v1")
    assert found.to_json() == documents.to_json(manifest_of("v1"))
    bundled = catalogue.find_model(file_store, BUNDLED_MANIFEST, BUNDLED)
    assert bundled.manifest == BUNDLED_MANIFEST


def test_a_model_that_cannot_be_read_or_is_missing_is_an_error(
    file_store: Store,
) -> None:
    write(file_store, "v1", b"{}")
    with pytest.raises(DamagedObjectError):
        catalogue.find_model(file_store, BUNDLED_MANIFEST, "v1")
    with pytest.raises(UnknownError):
        catalogue.find_model(file_store, BUNDLED_MANIFEST, "v2")
