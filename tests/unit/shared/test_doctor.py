import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digits import datasets, doctor, jobs, outcomes
from digits.datasets import DatasetVersion
from digits.jobs import Request, Result
from digits.models import manifests, releases
from digits.models.manifests import Manifest
from digits.parameters import Parameters
from digits.store import Store

NOW = datetime(2026, 1, 31, 10, 15, tzinfo=UTC)
FILES = {
    "model.tflite": b"a network",
    "model.weights.h5": b"its weights",
    "report.html": b"a report",
}
VERSION = manifests.version_name(NOW, FILES)
INFO = "datasets/tiny/1.0.0/dataset_info.json"
SHARD = "datasets/tiny/1.0.0/tiny-train.tfrecord-00000-of-00001"
# Unfinished things count as abandoned at once.
IMPATIENT = timedelta(0)


def publish(store: Store) -> None:
    files = {name: manifests.file_info(data) for name, data in FILES.items()}
    del files["report.html"]
    thresholds = {manifests.SCORE: 0.5}
    manifest = Manifest(VERSION, "tiny", "1.0.0", "abc", {}, {}, thresholds, files)
    manifests.publish(store, manifest, FILES)


def request(store: Store, job_id: str, dataset: DatasetVersion) -> None:
    jobs.create_job(store, Request.new(job_id, dataset, Parameters()))


@pytest.fixture
def sound(store: Store, small_npz: Path) -> Store:
    """A store with a dataset, a model that a job trained and released, and a rollback."""
    store.write("raw/tiny.npz", small_npz.read_bytes())
    dataset = datasets.ingest(store, "tiny")
    publish(store)
    request(store, "done", dataset)
    result = Result(
        "SUCCEEDED", "Released", NOW, accuracy=0.9, model_version=VERSION, released=True
    )
    outcomes.end_job(store, "done", result)
    releases.release(store, manifests.BUNDLED, "The old one is better")
    return store


def examine(store: Store, patience: timedelta = IMPATIENT) -> list[str]:
    return [finding.key for finding in doctor.examine_store(store, patience).findings]


def test_a_sound_store_has_no_findings(sound: Store) -> None:
    report = doctor.examine_store(sound, IMPATIENT)
    assert report.findings == []
    assert report.checked["objects"] == len(sound.entries(""))
    assert report.checked == report.checked | {
        "models": 1,
        "releases": 2,
        "dataset versions": 1,
        "jobs": 1,
    }


def test_an_empty_store_has_no_findings(store: Store) -> None:
    assert examine(store) == []


def flip(store: Store, key: str) -> None:
    data = bytearray(store.read(key))
    data[len(data) // 2] ^= 1
    store.write(key, bytes(data))


def cut(store: Store, key: str) -> None:
    store.write(key, store.read(key)[:-1])


def delete(store: Store, key: str) -> None:
    store.delete(key)


def spoil(store: Store, key: str) -> None:
    store.write(key, b'{"number": [')


@pytest.mark.parametrize(
    ("damage", "key", "findings"),
    [
        (flip, f"models/{VERSION}/model.tflite", {f"models/{VERSION}/model.tflite"}),
        (
            cut,
            f"models/{VERSION}/model.weights.h5",
            {f"models/{VERSION}/model.weights.h5"},
        ),
        (delete, f"models/{VERSION}/model.tflite", {f"models/{VERSION}/model.tflite"}),
        (spoil, f"models/{VERSION}/manifest.json", {f"models/{VERSION}/manifest.json"}),
        (delete, f"models/{VERSION}/manifest.json", {f"models/{VERSION}"}),
    ],
)
def test_a_damaged_model_is_a_finding_and_so_are_its_release_and_its_job(
    damage: Callable[[Store, str], None], key: str, findings: set[str], sound: Store
) -> None:
    damage(sound, key)
    assert set(examine(sound)) == {
        *findings,
        "releases/1.json",
        "jobs/done/result.json",
    }


@pytest.mark.parametrize(
    ("damage", "key", "finding"),
    [
        (spoil, "releases/2.json", "releases/2.json"),
        (delete, "releases/1.json", "releases/1.json"),
        (spoil, "releases/.newest.json", "releases/.newest.json"),
        (flip, SHARD, SHARD),
        (cut, SHARD, SHARD),
        (delete, SHARD, SHARD),
        (spoil, INFO, INFO),
        (delete, INFO, "datasets/tiny/1.0.0"),
        (
            delete,
            "datasets/tiny/1.0.0/features.json",
            "datasets/tiny/1.0.0/features.json",
        ),
        (spoil, "datasets/tiny/1.0.0/source.json", "datasets/tiny/1.0.0/source.json"),
        (spoil, "datasets/tiny/problem.json", "datasets/tiny/problem.json"),
        (spoil, "jobs/done/request.json", "jobs/done/request.json"),
        (spoil, "jobs/done/claim.json", "jobs/done/claim.json"),
        (spoil, "jobs/done/result.json", "jobs/done/result.json"),
        (delete, "jobs/done/request.json", "jobs/done/request.json"),
        (delete, "jobs/done/result.json", "jobs/done"),
        (spoil, "jobs/done/checkpoint.keras", "jobs/done/checkpoint.keras"),
    ],
)
def test_a_damaged_object_is_a_finding(
    damage: Callable[[Store, str], None], key: str, finding: str, sound: Store
) -> None:
    damage(sound, key)
    assert examine(sound) == [finding]


def test_an_unconverted_upload_is_a_finding(sound: Store) -> None:
    sound.write("raw/tiny.npz", b"another one")
    sound.write("raw/new.npz", b"the first")
    assert examine(sound) == ["raw/new.npz", "raw/tiny.npz"]


def test_an_unfinished_thing_is_a_finding_when_abandoned(
    sound: Store, small_npz: Path
) -> None:
    request(sound, "lost", datasets.convert(sound, "tiny", small_npz))
    sound.write("models/half/model.tflite", b"")
    sound.write("raw/tiny.npz", b"another one")
    sound.delete(INFO)
    assert examine(sound, doctor.PATIENCE) == []
    assert examine(sound) == [
        "datasets/tiny/1.0.0",
        "jobs/lost",
        "models/half",
        "raw/tiny.npz",
    ]


def test_a_result_that_differs_from_the_claim_is_a_finding(sound: Store) -> None:
    claim = json.loads(sound.read("jobs/done/claim.json"))
    sound.write_json("jobs/done/claim.json", claim | {"status": "FAILED"})
    assert examine(sound) == ["jobs/done/result.json"]


def test_temporary_files_in_a_folder_are_findings(
    file_store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "store"
    names = ["releases/1.json#1", ".batch/job.json.7.part"]
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert examine(file_store) == [names[1], str(folder / names[0])]
    assert examine(file_store, doctor.PATIENCE) == []


def test_every_finding_is_made_of_sentences(sound: Store) -> None:
    for entry in sound.entries(""):
        spoil(sound, entry.key)
    findings = doctor.examine_store(sound, IMPATIENT).findings
    assert len(findings) > 8
    assert all(
        finding.problem.endswith(".") and finding.remedy.endswith(".")
        for finding in findings
    )
