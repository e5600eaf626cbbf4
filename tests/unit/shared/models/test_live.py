"""The swap of models in a running service. Every model here is a copy of the bundled model."""

import json
import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest

from digits.errors import DamagedObjectError, StoreError
from digits.imaging.normalise import read_digit
from digits.models import live, manifests, releases
from digits.models.classifier import Classifier
from digits.models.live import LiveModel
from digits.models.manifests import MODEL_FILE, Manifest
from digits.models.releases import Served
from digits.store import Store
from local.checkout import BUNDLED_FOLDER, ROOT
from tests.faults import Fault, FaultProxy

LOGGER = logging.getLogger(__name__)
ONE, TWO = "20260131T101500Z-00000001", "20260131T101500Z-00000002"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("digits.models.live.monotonic", clock)
    return clock


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    bundled = manifests.parse_manifest((BUNDLED_FOLDER / "manifest.json").read_bytes())
    return replace(bundled, files={MODEL_FILE: bundled.files[MODEL_FILE]})


@pytest.fixture(scope="module")
def model() -> bytes:
    return (BUNDLED_FOLDER / MODEL_FILE).read_bytes()


def publish_and_release(
    store: Store, manifest: Manifest, model: bytes, version: str
) -> None:
    manifests.publish(store, replace(manifest, version=version), {MODEL_FILE: model})
    releases.release(store, version, "test")


def answers_with(live: LiveModel, version: str) -> None:
    """Wait for a version to answer: S3 may take longer than a request waits."""
    longest(live, lambda: live.current().manifest.version == version)


def longest(live: LiveModel, until: Callable[[], bool]) -> float:
    """Ask until a condition holds.

    Returns:
        The seconds of the longest request, except the first.
    """
    live.current()
    times = [0.0]
    deadline = monotonic() + 30
    while not until():
        started = monotonic()
        live.current()
        times.append(monotonic() - started)
        assert started < deadline
        sleep(0.01)
    return max(times)


def test_the_bundled_model_answers_before_the_first_release(
    file_store: Store, manifest: Manifest
) -> None:
    live = LiveModel(file_store, BUNDLED_FOLDER, 0, LOGGER)
    assert live.current().manifest.version == manifest.version
    assert (live.release, live.problem) == (None, None)


def test_the_newest_release_answers(
    store: Store, manifest: Manifest, model: bytes
) -> None:
    live = LiveModel(store, BUNDLED_FOLDER, 0, LOGGER)
    for version in (ONE, TWO):
        publish_and_release(store, manifest, model, version)
        answers_with(live, version)
    releases.release(store, ONE, "roll back")
    answers_with(live, ONE)
    assert live.release == 3


@pytest.mark.parametrize("answers", [{29: ONE, 31: TWO}, {31: TWO}])
def test_the_result_of_the_first_search_counts_until_the_ttl_ends(
    file_store: Store,
    manifest: Manifest,
    model: bytes,
    clock: Clock,
    answers: dict[float, str],
) -> None:
    publish_and_release(file_store, manifest, model, ONE)
    search: Future[Served | None] = Future()
    search.set_result(releases.find_newer(file_store, None))
    live = LiveModel(file_store, BUNDLED_FOLDER, 30, LOGGER, search)
    publish_and_release(file_store, manifest, model, TWO)
    for clock.seconds, version in answers.items():
        assert live.current().manifest.version == version


def test_a_failed_first_search_leaves_the_bundled_model(
    file_store: Store, manifest: Manifest
) -> None:
    search: Future[Served | None] = Future()
    search.set_exception(StoreError("The object store could not serve releases."))
    live = LiveModel(file_store, BUNDLED_FOLDER, 3600, LOGGER, search)
    assert live.current().manifest.version == manifest.version
    assert live.problem == "The object store could not serve releases."


def test_a_new_release_is_not_loaded_before_the_ttl_ends(
    file_store: Store, manifest: Manifest, model: bytes
) -> None:
    live = LiveModel(file_store, BUNDLED_FOLDER, 3600, LOGGER)
    before = live.current()
    publish_and_release(file_store, manifest, model, ONE)
    assert live.current() is before


@pytest.mark.parametrize(
    "damage",
    [
        lambda store, key, data: store.write(key, data[: len(data) // 2]),
        lambda store, key, _: store.delete(key),
    ],
    ids=["cut", "missing"],
)
@pytest.mark.parametrize(
    "key",
    [f"models/{TWO}/model.tflite", f"models/{TWO}/manifest.json", "releases/2.json"],
)
def test_a_damaged_release_leaves_the_loaded_model(  # noqa: PLR0913, PLR0917  most are fixtures
    file_store: Store,
    manifest: Manifest,
    model: bytes,
    key: str,
    damage: Callable[[Store, str, bytes], None],
    clock: Clock,
) -> None:
    live = LiveModel(file_store, BUNDLED_FOLDER, 0, LOGGER)
    publish_and_release(file_store, manifest, model, ONE)
    assert live.current().manifest.version == ONE
    publish_and_release(file_store, manifest, model, TWO)
    whole = file_store.read(key)
    damage(file_store, key, whole)
    assert live.current().manifest.version == ONE
    file_store.write(key, whole)
    clock.seconds = 2
    assert live.current().manifest.version == TWO
    assert live.problem is None


NESTED = b"[" * 100_000
BROKEN: dict[str, tuple[str, bytes | dict[str, Any]]] = {
    "thresholds": (f"models/{TWO}/manifest.json", {"thresholds": None}),
    "no score": (f"models/{TWO}/manifest.json", {"thresholds": {}}),
    "score": (f"models/{TWO}/manifest.json", {"thresholds": {"score": "high"}}),
    "nested manifest": (f"models/{TWO}/manifest.json", NESTED),
    "nested release": ("releases/2.json", NESTED),
    "empty release": ("releases/2.json", b""),
    "no number": ("releases/2.json", {"number": None}),
    "another number": ("releases/2.json", {"number": 3}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_invalid_release_leaves_the_loaded_model(
    file_store: Store, manifest: Manifest, model: bytes, name: str
) -> None:
    live = LiveModel(file_store, BUNDLED_FOLDER, 0, LOGGER)
    publish_and_release(file_store, manifest, model, ONE)
    live.current()
    publish_and_release(file_store, manifest, model, TWO)
    key, content = BROKEN[name]
    if isinstance(content, dict):
        content = json.dumps(file_store.read_json(key) | content).encode()
    file_store.write(key, content)
    assert live.current().manifest.version == ONE
    assert live.problem


@pytest.mark.parametrize(
    "key", ["releases/².json", "releases/x.json", "releases/0.json", "releases/-1.json"]
)
def test_a_file_that_is_not_a_release_does_not_count(
    file_store: Store, manifest: Manifest, key: str, tmp_path: Path
) -> None:
    (tmp_path / "store" / "releases").mkdir()
    (tmp_path / "store" / key).write_bytes(b"{}")
    live = LiveModel(file_store, BUNDLED_FOLDER, 0, LOGGER)
    assert live.current().manifest.version == manifest.version
    assert (live.release, live.problem) == (None, None)


def test_deleted_releases_leave_the_loaded_model(
    file_store: Store, manifest: Manifest, model: bytes
) -> None:
    live = LiveModel(file_store, BUNDLED_FOLDER, 0, LOGGER)
    publish_and_release(file_store, manifest, model, ONE)
    live.current()
    for entry in file_store.entries("releases"):
        file_store.delete(entry.key)
    assert live.current().manifest.version == ONE


def test_a_rollback_to_the_bundled_model_answers(
    store: Store, manifest: Manifest, model: bytes
) -> None:
    live = LiveModel(store, BUNDLED_FOLDER, 0, LOGGER)
    publish_and_release(store, manifest, model, ONE)
    answers_with(live, ONE)
    releases.release(store, manifests.BUNDLED, "roll back")
    answers_with(live, manifest.version)
    assert live.release == 2


def test_no_request_waits_for_a_slow_store(
    faults: FaultProxy, faulty_store: Store, manifest: Manifest, model: bytes
) -> None:
    publish_and_release(faulty_store, manifest, model, ONE)
    faults.add(Fault.LATENCY, seconds=1)
    live = LiveModel(faulty_store, BUNDLED_FOLDER, 0, LOGGER)
    assert longest(live, lambda: live.release == 1) < 0.5
    assert live.problem is None


def test_no_request_waits_for_a_store_that_hangs(
    faults: FaultProxy,
    faulty_store: Store,
    manifest: Manifest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faults.add(Fault.HANG)
    monkeypatch.setattr(live, "DEADLINE", 1)
    patient = Store(faulty_store.url, patience=timedelta(seconds=3))
    model = LiveModel(patient, BUNDLED_FOLDER, 0, LOGGER)
    assert longest(model, lambda: model.problem is not None) < 0.5
    assert model.problem == "The object store has not answered for 1 s."
    assert model.current().manifest.version == manifest.version


def test_after_a_failure_the_next_search_waits(
    faults: FaultProxy, faulty_store: Store, manifest: Manifest, model: bytes
) -> None:
    publish_and_release(faulty_store, manifest, model, ONE)
    faults.add(Fault.RESET)
    impatient = Store(faulty_store.url, patience=timedelta(seconds=0.5))
    live = LiveModel(impatient, BUNDLED_FOLDER, 0, LOGGER)
    longest(live, lambda: live.problem is not None)
    faults.forget()
    for _ in range(100):
        live.current()
    assert not faults.requests()
    faults.clear()
    assert longest(live, lambda: live.release == 1) < 0.5
    assert live.problem is None


def test_a_classifier_gives_probabilities(manifest: Manifest, model: bytes) -> None:
    classifier = Classifier(manifest, model)
    for digit in range(10):
        png = (ROOT / "example" / f"{digit}.png").read_bytes()
        prediction = classifier.classify(read_digit(png))
        assert len(prediction.probabilities) == 10
        assert sum(prediction.probabilities) == pytest.approx(1)
        assert prediction.digit == digit
        assert prediction.confidence == prediction.probabilities[digit]


def test_the_probabilities_of_a_blank_image_are_finite(
    manifest: Manifest, model: bytes
) -> None:
    white = np.full((28, 28), 255, np.uint8)
    prediction = Classifier(manifest, model).classify(white)
    assert np.isfinite(prediction.probabilities).all()


def test_bytes_that_are_not_the_model_are_refused(
    manifest: Manifest, model: bytes
) -> None:
    with pytest.raises(DamagedObjectError, match="manifest"):
        Classifier(manifest, model[:-1])
    junk = b"not a model"
    described = replace(manifest, files={MODEL_FILE: manifests.file_info(junk)})
    with pytest.raises(DamagedObjectError, match="cannot be used"):
        Classifier(described, junk)
