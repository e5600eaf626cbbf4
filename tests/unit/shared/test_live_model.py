"""The swap of models under a running service. Each model here is the bundled one under another name."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest

from digits import models, releases
from digits.classifier import Classifier
from digits.errors import DamagedObjectError, StoreError
from digits.images import read_digit
from digits.live_model import LiveModel
from digits.models import MODEL_FILE, Manifest
from digits.releases import Served
from digits.store import Store
from local.checkout import BUNDLED, ROOT

LOGGER = logging.getLogger(__name__)
ONE, TWO = "20260131T101500Z-00000001", "20260131T101500Z-00000002"


class Clock:
    """Tells what a test sets it to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("digits.live_model.monotonic", found)
    return found


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    bundled = models.parse_manifest((BUNDLED / "manifest.json").read_bytes())
    return replace(bundled, files={MODEL_FILE: bundled.files[MODEL_FILE]})


@pytest.fixture(scope="module")
def model() -> bytes:
    return (BUNDLED / MODEL_FILE).read_bytes()


def publish_and_release(store: Store, manifest: Manifest, model: bytes, version: str) -> None:
    models.publish(store, replace(manifest, version=version), {MODEL_FILE: model})
    releases.release(store, version, "test")


def test_the_bundled_model_answers_before_the_first_release(file_store: Store, manifest: Manifest) -> None:
    live = LiveModel(file_store, BUNDLED, 0, LOGGER)
    assert live.current().manifest.version == manifest.version
    assert (live.release, live.problem) == (None, None)


def test_the_newest_release_answers(store: Store, manifest: Manifest, model: bytes) -> None:
    live = LiveModel(store, BUNDLED, 0, LOGGER)
    for version in (ONE, TWO):
        publish_and_release(store, manifest, model, version)
        assert live.current().manifest.version == version
    releases.release(store, ONE, "roll back")
    assert live.current().manifest.version == ONE
    assert live.release == 3


@pytest.mark.parametrize("answers", [{29: ONE, 31: TWO}, {31: TWO}])
def test_a_first_look_that_began_before_counts_while_it_is_new(
    file_store: Store, manifest: Manifest, model: bytes, clock: Clock, answers: dict[float, str]
) -> None:
    publish_and_release(file_store, manifest, model, ONE)
    look: Future[Served | None] = Future()
    look.set_result(releases.look(file_store, None))
    live = LiveModel(file_store, BUNDLED, 30, LOGGER, look)
    publish_and_release(file_store, manifest, model, TWO)
    for clock.seconds, version in answers.items():
        assert live.current().manifest.version == version


def test_a_first_look_that_failed_leaves_the_bundled_model(file_store: Store, manifest: Manifest) -> None:
    look: Future[Served | None] = Future()
    look.set_exception(StoreError("The object store could not serve releases."))
    live = LiveModel(file_store, BUNDLED, 3600, LOGGER, look)
    assert live.current().manifest.version == manifest.version
    assert live.problem == "The object store could not serve releases."


def test_a_release_is_looked_for_once_in_a_while(file_store: Store, manifest: Manifest, model: bytes) -> None:
    live = LiveModel(file_store, BUNDLED, 3600, LOGGER)
    before = live.current()
    publish_and_release(file_store, manifest, model, ONE)
    assert live.current() is before


@pytest.mark.parametrize(
    "damage",
    [lambda store, key, data: store.write(key, data[: len(data) // 2]), lambda store, key, _: store.delete(key)],
    ids=["cut", "gone"],
)
@pytest.mark.parametrize("key", [f"models/{TWO}/model.tflite", f"models/{TWO}/manifest.json", "releases/2.json"])
def test_a_damaged_release_leaves_the_loaded_model(
    file_store: Store,
    manifest: Manifest,
    model: bytes,
    key: str,
    damage: Callable[[Store, str, bytes], None],
    clock: Clock,
) -> None:
    live = LiveModel(file_store, BUNDLED, 0, LOGGER)
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


def test_a_classifier_gives_probabilities(manifest: Manifest, model: bytes) -> None:
    classifier = Classifier(manifest, model)
    for digit in range(10):
        answer = classifier.classify(read_digit((ROOT / "example" / f"{digit}.png").read_bytes()))
        assert len(answer.probabilities) == 10
        assert sum(answer.probabilities) == pytest.approx(1)
        assert answer.digit == digit
        assert answer.confidence == answer.probabilities[digit]
    assert np.isfinite(classifier.classify(np.full((28, 28), 255, np.uint8)).probabilities).all()


def test_bytes_that_are_no_model_are_refused(manifest: Manifest, model: bytes) -> None:
    with pytest.raises(DamagedObjectError, match="manifest"):
        Classifier(manifest, model[:-1])
    junk = b"not a model"
    with pytest.raises(DamagedObjectError, match="cannot be used"):
        Classifier(replace(manifest, files={MODEL_FILE: models.describe(junk)}), junk)
