from concurrent.futures import ThreadPoolExecutor

import pytest

from digits import documents
from digits.errors import DamagedObjectError, UnknownError
from digits.models import manifests, releases
from digits.models.manifests import Manifest
from digits.store import Store


@pytest.fixture
def versions(store: Store) -> list[str]:
    for version in ("v1", "v2"):
        files = {"model.tflite": manifests.file_info(b"graph")}
        manifest = Manifest(
            version, "mnist", "1.0.0", "abc", {}, {}, {"score": 0.5}, files
        )
        store.write(f"models/{version}/model.tflite", b"graph")
        store.write(f"models/{version}/manifest.json", documents.to_bytes(manifest))
    return ["v1", "v2"]


def test_before_the_first_release_there_is_no_live_release(store: Store) -> None:
    assert releases.live_release(store) is None


def test_the_newest_release_is_live_also_after_a_rollback(
    store: Store, versions: list[str]
) -> None:
    for version in [*versions, versions[0]]:
        releases.release(store, version, reason="because")
    live = releases.live_release(store)
    assert live is not None
    assert (live.number, live.version, live.reason) == (3, "v1", "because")
    assert releases.load_release(store, 2).version == "v2"


@pytest.mark.usefixtures("versions")
def test_the_tenth_release_is_newer_than_the_ninth(store: Store) -> None:
    for number in range(10):
        releases.release(store, "v1", f"again {number}")
    assert releases.newest_number(store) == 10


@pytest.mark.usefixtures("versions")
def test_concurrent_releases_get_different_numbers(store: Store) -> None:
    numbers = range(1, 17)
    reasons = [f"reason {number}" for number in numbers]
    with ThreadPoolExecutor(8) as pool:
        made = pool.map(lambda reason: releases.release(store, "v1", reason), reasons)
        assert sorted(release.number for release in made) == [*numbers]
    stored = [releases.load_release(store, number).reason for number in numbers]
    assert sorted(stored) == sorted(reasons)


def test_only_a_complete_model_can_be_released(store: Store) -> None:
    with pytest.raises(UnknownError, match="v9"):
        releases.release(store, "v9", "no such thing")
    assert releases.live_release(store) is None


@pytest.mark.parametrize("content", [b"{}", b"[]", b'{"number": 1}', b"\xff"])
def test_a_damaged_release_raises(store: Store, content: bytes) -> None:
    store.write("releases/1.json", content)
    with pytest.raises(DamagedObjectError):
        releases.live_release(store)


@pytest.mark.usefixtures("versions")
def test_a_file_that_is_not_a_release_does_not_count(store: Store) -> None:
    releases.release(store, "v1", "first")
    store.write("releases/README", b"")
    assert releases.newest_number(store) == 1
