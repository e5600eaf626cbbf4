"""Jobs as AWS Batch runs them: processes that may be killed, reclaimed or cancelled at any moment."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from digits import jobs, models, releases
from digits.jobs import Result
from digits.models import MODEL_FILE, SCORE, WEIGHTS_FILE, Manifest
from digits.store import Store
from tests.integration.training.conftest import Trainings
from training import export, job

# Keras' own, with this NumPy.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

ROOT = Path(__file__).parents[3]
SECONDS = 120
EPOCHS = 4


class Container:
    """`python -m training`, as the container starts it."""

    def __init__(self, trainings: Trainings, job_id: str, log: Path) -> None:
        self._log = log
        environment = os.environ | {"DIGITS_STORE": trainings.store.url, "DIGITS_JOB_ID": job_id}
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "training"], cwd=ROOT, env=environment, stdout=file, stderr=file
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait(self) -> int:
        return self.process.wait(SECONDS)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.01)


Start = Callable[[str], Container]


@pytest.fixture
def start(trainings: Trainings, tmp_path: Path) -> Iterator[Start]:
    started: list[Container] = []

    def run(job_id: str) -> Container:
        started.append(Container(trainings, job_id, tmp_path / f"{job_id}.log"))
        return started[-1]

    yield run
    for container in started:
        container.process.kill()
        container.process.wait()


def only_model(trainings: Trainings) -> Manifest:
    (version,) = models.list_versions(trainings.store)
    return models.load_manifest(trainings.store, version)


def finished_epoch(trainings: Trainings, job_id: str) -> int:
    progress = jobs.load_progress(trainings.store, job_id)
    return progress.epoch if progress and progress.step == progress.steps else 0


def assert_nothing_came_of_it(trainings: Trainings) -> None:
    assert trainings.store.entries("models") == []
    assert trainings.store.entries("releases") == []


def test_an_interrupted_job_ends_as_if_it_had_not_been(trainings: Trainings, start: Start) -> None:
    trainings.create("calm", epochs=EPOCHS)
    calm = start("calm")
    assert calm.wait() == 0, calm.log
    manifest = only_model(trainings)

    result = jobs.load_result(trainings.store, "calm")
    assert result == Result(
        status="SUCCEEDED",
        reason=f"Released with accuracy {manifest.metrics['accuracy']:.4f}",
        finished=result.finished if result else manifest.version,
        accuracy=manifest.metrics["accuracy"],
        model_version=manifest.version,
        released=True,
    )
    live = releases.live(trainings.store)
    assert live
    assert live.version == manifest.version
    assert "calm" in live.reason
    assert finished_epoch(trainings, "calm") == EPOCHS
    assert f"Epoch {EPOCHS}/{EPOCHS}: loss " in calm.log
    assert {entry.key for entry in trainings.store.entries("jobs/calm")} == {
        f"jobs/calm/{name}.json" for name in ("request", "progress", "result")
    }

    trainings.create("rough", epochs=EPOCHS)
    killed = start("rough")
    killed.wait_until(lambda: finished_epoch(trainings, "rough") >= 1)
    killed.process.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    reclaimed = start("rough")
    reclaimed.wait_until(lambda: finished_epoch(trainings, "rough") >= 2)
    reclaimed.process.send_signal(signal.SIGTERM)
    assert reclaimed.wait() == 143, reclaimed.log
    assert jobs.load_result(trainings.store, "rough") is None

    resumed = start("rough")
    assert resumed.wait() == 0, resumed.log
    assert "Epoch 1/" not in resumed.log.rpartition("Job rough: ")[2]
    # Still one model: the same weights make the same version.
    assert only_model(trainings) == manifest
    again = jobs.load_result(trainings.store, "rough")
    assert again
    assert again.model_version == manifest.version


def test_a_failure_is_recorded_once_and_ends_in_exit_code_1(trainings: Trainings, start: Start) -> None:
    trainings.create("doomed", version="7.0.0")
    failed = start("doomed")
    assert failed.wait() == 1, failed.log
    result = jobs.load_result(trainings.store, "doomed")
    assert result
    assert (result.status, result.released) == ("FAILED", False)
    assert "There is no dataset 'tiny' 7.0.0." in result.reason

    again = start("doomed")
    assert again.wait() == 0, again.log
    assert jobs.load_result(trainings.store, "doomed") == result


def test_without_a_job_it_says_what_to_give(start: Start) -> None:
    container = start("")
    assert container.wait() == 2
    assert "give --job-id, or set DIGITS_JOB_ID" in container.log


def flip_a_byte(data: bytes) -> bytes:
    return data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]


def drop_the_last_record(data: bytes) -> bytes:
    return data[: -(len(data) // 200)]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip_a_byte, "A record is damaged, or no 28x28 image, in tiny-test.tfrecord-00000-of-00001."),
        (lambda data: data[:-1], "A record is damaged, or no 28x28 image, in tiny-test.tfrecord-00000-of-00001."),
        (drop_the_last_record, "Expected 200 test examples in tiny 1.0.0. Received 199."),
        (lambda data: data[:0], "Expected 200 test examples in tiny 1.0.0. Received 0."),
    ],
)
def test_a_damaged_dataset_fails_the_job(trainings: Trainings, damage: Callable[[bytes], bytes], reason: str) -> None:
    key = trainings.shard("test")
    trainings.store.write(key, damage(trainings.store.read(key)))
    result = job.run(trainings.store, trainings.create("job"))
    assert result.status == "FAILED"
    assert reason in result.reason
    assert "Delete this version from the store and upload the dataset again." in result.reason
    assert_nothing_came_of_it(trainings)


def test_what_nobody_foresaw_fails_the_job_too(trainings: Trainings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    result = job.run(trainings.store, trainings.create("job"))
    assert result.reason == "The training failed unexpectedly (FileNotFoundError). Its log says why."


def test_a_model_that_export_would_change_is_not_published(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(export.TOLERANCES, "float32_probability_difference", 0.0)
    result = job.run(trainings.store, trainings.create("job"))
    assert result.status == "FAILED"
    assert result.reason.startswith("Expected float32_probability_difference to be at most 0.0. Received 0.0000")
    assert_nothing_came_of_it(trainings)


def test_a_job_cancelled_while_it_trains_is_not_released(trainings: Trainings) -> None:
    trainings.create("job")

    def cancel() -> None:
        while not jobs.load_progress(trainings.store, "job"):
            time.sleep(0.001)
        jobs.fail(trainings.store, "job", "Cancelled by hand")

    canceller = threading.Thread(target=cancel)
    canceller.start()
    result = job.run(trainings.store, "job")
    canceller.join()
    assert result.reason == "Cancelled by hand"
    assert_nothing_came_of_it(trainings)


def test_a_damaged_checkpoint_is_no_obstacle(trainings: Trainings) -> None:
    trainings.create("job")
    trainings.store.write("jobs/job/checkpoint.keras", b"PK, but no more")
    assert job.run(trainings.store, "job").status == "SUCCEEDED"


def test_a_job_on_s3_publishes_what_its_manifest_says(s3_store: Store, tiny_digits: Path) -> None:
    trainings = Trainings(s3_store, tiny_digits)
    job.run(s3_store, trainings.create("job"))
    manifest = only_model(trainings)
    assert set(manifest.files) == {MODEL_FILE, WEIGHTS_FILE}
    for name in manifest.files:
        models.load_file(s3_store, manifest, name)
    assert manifest.version.startswith("20260131T101500Z-")
    assert (manifest.dataset, manifest.dataset_version) == ("tiny", "1.0.0")
    assert manifest.parameters["epochs"] == 1
    assert 0.2 < manifest.metrics["accuracy"] <= 1
    assert manifest.thresholds.keys() == {*export.TOLERANCES, SCORE}


def test_the_entry_point_imports_tensorflow_only_for_a_job_that_is_not_over() -> None:
    check = "import sys, training.__main__; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
