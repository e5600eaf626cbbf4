"""Jobs as AWS Batch runs them: processes that may be killed or cancelled at any moment."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import get_args

import pytest

from digits import jobs, outcomes
from digits.jobs import Phase, Progress, Result
from digits.models import manifests, releases
from digits.models.manifests import MODEL_FILE, SCORE, WEIGHTS_FILE, Manifest
from digits.store import Store
from tests.faults import Fault, FaultProxy
from tests.integration.training.conftest import CREATED, Trainings
from training import __main__ as entry_point
from training import interruption, job, pipeline
from training.evaluation import sample_sizes
from training.fitting.phases import Phases
from training.packaging import export
from training.packaging.package import Package, make_manifest
from training.pipeline import TrainedModel

# Keras' own, with this NumPy.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

ROOT = Path(__file__).parents[3]
SECONDS = 120
EPOCHS = 4


class Container:
    """`python -m training`, as the container starts it."""

    def __init__(self, trainings: Trainings, job_id: str, log: Path) -> None:
        self._log = log
        environment = os.environ | {
            "DIGITS_STORE": trainings.store.url,
            "DIGITS_JOB_ID": job_id,
        }
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "training"],
                cwd=ROOT,
                env=environment,
                stdout=file,
                stderr=file,
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


@pytest.fixture(autouse=True)
def _short_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluate on few pictures. The tests of the report evaluate on more."""
    monkeypatch.setattr(sample_sizes, "_FEWEST_DIGITS", 1)
    monkeypatch.setattr(sample_sizes, "_FEWEST_NON_DIGITS", 10)


@pytest.fixture
def trained(
    package: Package, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> TrainedModel:
    """The model that each training gives, at once."""
    manifest = make_manifest(package, trainings.dataset, {}, CREATED)
    trained = TrainedModel(manifest, package.files, release_blockers=[])
    monkeypatch.setattr(pipeline, "train_model", lambda *_: trained)
    return trained


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
    (version,) = manifests.list_versions(trainings.store).ids
    return manifests.load_manifest(trainings.store, version)


def publish_and_release(trainings: Trainings, package: Package) -> str:
    manifest = make_manifest(package, trainings.dataset, {}, CREATED)
    manifests.publish(trainings.store, manifest, package.files)
    releases.release(trainings.store, manifest.version, "by hand")
    return manifest.version


def assert_nothing_was_published(trainings: Trainings) -> None:
    assert trainings.store.entries("models") == []
    assert trainings.store.entries("releases") == []


def log_of_attempt(container: Container, number: int) -> str:
    """The log of an attempt of the job `rough` from the start of the training."""
    attempts = container.log.split("Job rough trains")
    return attempts[number] if len(attempts) > number else ""


def checkpoint_etag(trainings: Trainings) -> str | None:
    """The etag of the checkpoint of the job `rough`."""
    for entry in trainings.store.entries("jobs/rough"):
        if "checkpoint" in entry.key:
            return entry.etag
    return None


@pytest.mark.long
def test_an_interrupted_job_ends_like_one_without_interruptions(
    trainings: Trainings, start: Start
) -> None:
    trainings.create("calm", epochs=EPOCHS)
    calm = start("calm")
    assert calm.wait() == 0, calm.log
    manifest = only_model(trainings)

    result = jobs.load_result(trainings.store, "calm")
    assert result
    assert (result.status, result.model_version, result.released) == (
        "SUCCEEDED",
        manifest.version,
        False,
    )
    assert result.accuracy == manifest.metrics["accuracy"]
    # The bundled model is live, and better than a model of a few hundred digits.
    assert "lower than the live model's" in result.reason
    assert releases.live_release(trainings.store) is None
    assert f"Epoch {EPOCHS}/{EPOCHS}: loss " in calm.log
    assert {entry.key for entry in trainings.store.entries("jobs/calm")} == {
        f"jobs/calm/{name}.json" for name in ("request", "progress", "claim", "result")
    }

    # From here on the live model is the same model.
    releases.release(trainings.store, manifest.version, "by hand")
    trainings.create("rough", epochs=EPOCHS)
    killed = start("rough")
    killed.wait_until(lambda: checkpoint_etag(trainings) is not None)
    killed.process.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    reclaimed = start("rough")
    reclaimed.wait_until(lambda: "Epoch " in log_of_attempt(reclaimed, 2))
    reclaimed.process.send_signal(signal.SIGTERM)
    assert reclaimed.wait() == 143, reclaimed.log
    assert jobs.load_result(trainings.store, "rough") is None

    resumed = start("rough")
    assert resumed.wait() == 0, resumed.log
    assert "Epoch 1/" not in log_of_attempt(resumed, 3)
    # The same weights give the same version, so there is still a single model.
    assert only_model(trainings) == manifest
    again = jobs.load_result(trainings.store, "rough")
    assert again
    assert (again.model_version, again.released) == (manifest.version, True)
    assert again.reason == f"Released with accuracy {manifest.metrics['accuracy']:.4f}"
    live = releases.live_release(trainings.store)
    assert live
    assert (live.version, live.number) == (manifest.version, 2)
    assert "rough" in live.reason


def test_the_phases_come_in_order_and_the_remaining_time_is_about_right(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[tuple[float, Progress]] = []

    class RecordedPhases(Phases):
        def __init__(self, expected: Mapping[Phase, float]) -> None:
            super().__init__(expected)
            self.listen(lambda progress: reports.append((time.monotonic(), progress)))

    monkeypatch.setattr(job, "Phases", RecordedPhases)
    result = job.run(trainings.store, trainings.create("job", epochs=2))
    ended = time.monotonic()
    assert result.status == "SUCCEEDED"
    phases = [progress.phase for _, progress in reports]
    assert [phase for phase, _ in groupby(phases)] == list(get_args(Phase))
    for reported, progress in reports:
        remaining = ended - reported
        assert progress.eta_seconds
        # Machines differ in speed, and tests run beside each other: only an estimate that
        # is wrong by a factor of ten fails.
        assert remaining / 10 < progress.eta_seconds < 10 * remaining + 10, progress
    last = jobs.load_progress(trainings.store, "job")
    assert last
    assert (last.epoch, last.loss) == (None, None)
    assert_published_as_its_manifest_says(trainings)


def assert_published_as_its_manifest_says(trainings: Trainings) -> None:
    manifest = only_model(trainings)
    assert set(manifest.files) == {MODEL_FILE, WEIGHTS_FILE}
    for name in manifest.files:
        manifests.load_file(trainings.store, manifest, name)
    assert manifest.version.startswith("20260131T101500Z-")
    assert (manifest.dataset, manifest.dataset_version) == ("tiny", "1.0.0")
    assert manifest.parameters["epochs"] == 2
    assert 0.2 < manifest.metrics["accuracy"] <= 1
    assert manifest.thresholds.keys() == {*export.TOLERANCES, SCORE}


def test_a_failure_is_recorded_once_and_ends_in_exit_code_1(
    trainings: Trainings, start: Start
) -> None:
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


def test_without_a_job_id_the_usage_names_the_option_and_the_variable(
    start: Start,
) -> None:
    container = start("")
    assert container.wait() == 2
    assert "pass --job-id, or set DIGITS_JOB_ID" in container.log


def flip_a_byte(data: bytes) -> bytes:
    return data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]


def drop_the_last_record(data: bytes) -> bytes:
    return data[: -(len(data) // 200)]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (
            flip_a_byte,
            "A record is damaged, or is no 28x28 image, in tiny-test.tfrecord-00000-of-00001.",
        ),
        (
            lambda data: data[:-1],
            "A record is damaged, or is no 28x28 image, in tiny-test.tfrecord-00000-of-00001.",
        ),
        (
            drop_the_last_record,
            "tiny 1.0.0 has 199 test examples instead of 200.",
        ),
        (
            lambda data: data[:0],
            "tiny 1.0.0 has 0 test examples instead of 200.",
        ),
    ],
)
def test_a_damaged_dataset_fails_the_job(
    trainings: Trainings, damage: Callable[[bytes], bytes], reason: str
) -> None:
    key = trainings.shard("test")
    trainings.store.write(key, damage(trainings.store.read(key)))
    result = job.run(trainings.store, trainings.create("job"))
    assert result.status == "FAILED"
    assert reason in result.reason
    assert (
        "Delete this version from the store and upload the dataset again."
        in result.reason
    )
    assert_nothing_was_published(trainings)


def test_an_unexpected_error_fails_the_job(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    result = job.run(trainings.store, trainings.create("job"))
    assert (
        result.reason
        == "The training failed unexpectedly (FileNotFoundError). Its log says why."
    )


def test_a_model_that_its_export_changes_is_not_published(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(export.TOLERANCES, "float32_probability_difference", 0.0)
    result = job.run(trainings.store, trainings.create("job"))
    assert result.status == "FAILED"
    assert "float32_probability_difference is 0.0000" in result.reason
    assert "At most 0 is allowed. Nothing was published." in result.reason
    assert_nothing_was_published(trainings)


def test_a_job_cancelled_while_it_trains_is_not_published(
    trainings: Trainings, trained: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train_model(*_: object) -> TrainedModel:
        outcomes.end_job(trainings.store, "job", Result.failed("Cancelled by hand"))
        return trained

    monkeypatch.setattr(pipeline, "train_model", train_model)
    result = job.run(trainings.store, trainings.create("job"))
    assert result.reason == "Cancelled by hand"
    assert_nothing_was_published(trainings)


def test_a_job_cancelled_at_the_last_moment_is_not_released(
    trainings: Trainings, trained: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = manifests.publish

    def publish_and_cancel(
        store: Store, manifest: Manifest, files: dict[str, bytes]
    ) -> None:
        publish(store, manifest, files)
        outcomes.end_job(store, "job", Result.failed("Cancelled by hand"))

    monkeypatch.setattr(manifests, "publish", publish_and_cancel)
    result = job.run(trainings.store, trainings.create("job"))
    assert result.reason == "Cancelled by hand"
    assert only_model(trainings) == trained.manifest
    assert releases.live_release(trainings.store) is None


def test_a_job_that_died_before_its_release_is_released_without_training_again(
    trainings: Trainings, package: Package, start: Start
) -> None:
    version = publish_and_release(trainings, package)
    trainings.create("job")
    trainings.store.write("jobs/job/checkpoint.keras", b"obsolete")
    decided = Result("SUCCEEDED", "Good", CREATED, 0.9, version, released=True)
    jobs.claim_result(trainings.store, "job", decided)
    again = start("job")
    assert again.wait() == 0, again.log
    assert "Fetching" not in again.log
    assert jobs.load_result(trainings.store, "job") == decided
    live = releases.live_release(trainings.store)
    assert live
    assert live.version == version
    assert not trainings.store.exists("jobs/job/checkpoint.keras")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"dataset": None},
            "The job cannot be read. jobs/job/request.json cannot be read: dataset: str is needed",
        ),
        (
            {"parameters": {"momentum": 0.9}},
            "Job job was accepted by another version of this service.",
        ),
    ],
)
def test_a_request_that_cannot_be_read_fails_the_job(
    trainings: Trainings, change: dict[str, object], reason: str
) -> None:
    trainings.create("job")
    document = trainings.store.read_json("jobs/job/request.json") | change
    trainings.store.write_json("jobs/job/request.json", document)
    result = job.run(trainings.store, "job")
    assert result.status == "FAILED"
    assert result.reason.startswith(reason)
    assert result.reason.endswith("Start a new training.")


@pytest.mark.usefixtures("trained")
def test_progress_that_cannot_be_written_does_not_fail_the_job(
    s3_store: Store, faults: FaultProxy, tiny_digits: Path
) -> None:
    trainings = Trainings(s3_store, tiny_digits)
    trainings.create("job")
    rule = faults.add(Fault.SLOW_DOWN, key="progress.json")
    assert job.run(Store(s3_store.url), "job").status == "SUCCEEDED"
    assert rule.hits


def test_a_job_whose_store_does_not_answer_can_be_run_again(
    s3_store: Store,
    faults: FaultProxy,
    tiny_digits: Path,
    package: Package,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trainings = Trainings(s3_store, tiny_digits)
    trainings.create("job")
    impatient = Store(s3_store.url, patience=timedelta(seconds=1))
    monkeypatch.setattr(entry_point, "Store", lambda *_, **__: impatient)
    monkeypatch.setattr(interruption, "install", lambda: None)
    monkeypatch.setattr(sys, "argv", ["training", "--job-id", "job"])
    monkeypatch.setenv("DIGITS_STORE", s3_store.url)
    rule = faults.add(Fault.SLOW_DOWN, method="PUT", key="checkpoint.keras")
    assert entry_point.main() == os.EX_TEMPFAIL
    assert rule.hits
    assert outcomes.resume_end(s3_store, "job") is None
    faults.clear()
    manifest = make_manifest(package, trainings.dataset, {}, CREATED)
    trained = TrainedModel(manifest, package.files, release_blockers=[])
    monkeypatch.setattr(pipeline, "train_model", lambda *_: trained)
    assert entry_point.main() == 0
    result = jobs.load_result(s3_store, "job")
    assert result
    assert result.status == "SUCCEEDED"


def test_sigterm_ends_a_training_whose_store_hangs(
    s3_store: Store, faults: FaultProxy, tiny_digits: Path, tmp_path: Path
) -> None:
    trainings = Trainings(s3_store, tiny_digits)
    rule = faults.add(Fault.HANG, key="request.json")
    hanging = Container(trainings, "job", tmp_path / "log")
    hanging.wait_until(lambda: rule.hits > 0)
    hanging.process.send_signal(signal.SIGTERM)
    # The store's patience, minutes, is not over by then.
    assert hanging.process.wait(30) == 143


def test_a_job_whose_record_is_gone_ends_with_a_message(start: Start) -> None:
    gone = start("gone")
    assert gone.wait() == 1
    assert "There is no job 'gone'" in gone.log
    assert "Traceback" not in gone.log
