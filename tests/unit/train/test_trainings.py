"""The life of a training between the store's records and a Batch that can fail."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from batch_client import BatchClient, BatchError, BatchJob, BatchRefusedError
from digits import jobs, outcomes
from digits.datasets import convert
from digits.errors import ConflictError, InvalidParameterError, UnknownError
from digits.jobs import Result
from digits.parameters import Parameters
from digits.store import Store
from training_state import TrainingPage
from trainings import Trainings


class FakeBatch(BatchClient):
    """Runs no job, and says of each job what a test has written into `jobs`."""

    def __init__(self) -> None:
        self.jobs: dict[str, BatchJob] = {}
        self.is_down = False
        self.loses_answers = False

    def submit_job(self, job_id: str) -> str:
        if self.is_down:
            raise BatchRefusedError("down")
        self.jobs[f"batch-{job_id}"] = BatchJob("SUBMITTED", "")
        if self.loses_answers:
            raise BatchError("no answer")
        return f"batch-{job_id}"

    def find_job(self, job_id: str) -> str | None:
        return f"batch-{job_id}" if f"batch-{job_id}" in self.jobs else None

    def describe_jobs(self, batch_job_ids: list[str]) -> dict[str, BatchJob]:
        known = self.jobs.keys() & batch_job_ids
        return {batch_job_id: self.jobs[batch_job_id] for batch_job_id in known}

    def terminate_job(self, batch_job_id: str, reason: str) -> None:
        if self.is_down:
            raise BatchError("down")
        self.jobs[batch_job_id] = BatchJob("FAILED", reason)


@pytest.fixture
def batch() -> FakeBatch:
    return FakeBatch()


@pytest.fixture
def trainings(file_store: Store, batch: FakeBatch, small_npz: Path) -> Trainings:
    convert(file_store, "small", small_npz)
    return Trainings(file_store, batch)


SMALL = Parameters(dataset="small")


def age(store: Store, job_id: str, by: timedelta) -> None:
    request = jobs.load_request(store, job_id)
    jobs.update_request(store, replace(request, created=datetime.now(UTC) - by))


def forget_batch_id(store: Store, job_id: str) -> None:
    jobs.update_request(
        store, replace(jobs.load_request(store, job_id), batch_job_id=None)
    )


def test_status_follows_batch(trainings: Trainings, batch: FakeBatch) -> None:
    job_id = trainings.submit(SMALL, None)
    for word in ("SUBMITTED", "RUNNABLE", "STARTING", "RUNNING"):
        batch.jobs[f"batch-{job_id}"] = BatchJob(word, "")
        assert trainings.state(job_id).status == word
    (state,) = trainings.list_states().trainings
    assert state.job_id == job_id


def test_the_result_outlives_batch(
    trainings: Trainings, batch: FakeBatch, file_store: Store
) -> None:
    job_id = trainings.submit(SMALL, None)
    result = Result(
        status="SUCCEEDED",
        reason="",
        finished=datetime.now(UTC),
        accuracy=0.99,
        model_version="v1",
        released=True,
    )
    jobs.record_result(file_store, job_id, result)
    batch.jobs.clear()
    state = trainings.state(job_id)
    assert state.status == "SUCCEEDED"
    assert (state.accuracy, state.model_version) == (0.99, "v1")
    assert state.released


def test_a_key_starts_one_job(trainings: Trainings, batch: FakeBatch) -> None:
    assert (
        trainings.submit(SMALL, "key")
        == trainings.submit(SMALL, "key")
        != trainings.submit(SMALL, "other")
    )
    assert len(batch.jobs) == 2
    with pytest.raises(InvalidParameterError, match="Idempotency-Key"):
        trainings.submit(Parameters(dataset="small", epochs=9), "key")


def test_the_key_of_a_job_that_batch_refused_can_be_used_again(
    trainings: Trainings, batch: FakeBatch
) -> None:
    batch.is_down = True
    with pytest.raises(BatchError):
        trainings.submit(SMALL, "key")
    assert trainings.list_states() == TrainingPage([], next=None)
    batch.is_down = False
    trainings.submit(SMALL, "key")
    assert len(batch.jobs) == 1


def test_a_job_that_never_reached_batch_fails_after_a_grace_period(
    trainings: Trainings, batch: FakeBatch, file_store: Store
) -> None:
    job_id = trainings.submit(SMALL, None)
    forget_batch_id(file_store, job_id)
    batch.jobs.clear()
    assert trainings.state(job_id).status == "SUBMITTED"
    age(file_store, job_id, timedelta(minutes=2))
    assert trainings.state(job_id).status == "FAILED"


@pytest.mark.parametrize("is_with_batch", [True, False])
def test_a_repeated_key_starts_the_job_whose_submission_was_interrupted(
    trainings: Trainings, batch: FakeBatch, file_store: Store, *, is_with_batch: bool
) -> None:
    """A function that is killed after its claim, before Batch answers or after."""
    batch.loses_answers = True
    with pytest.raises(BatchError):
        trainings.submit(SMALL, "key")
    batch.loses_answers = False
    if not is_with_batch:
        batch.jobs.clear()
    (state,) = trainings.list_states().trainings
    age(file_store, state.job_id, timedelta(minutes=2))
    assert trainings.submit(SMALL, "key") == state.job_id
    assert list(batch.jobs) == [f"batch-{state.job_id}"]
    assert (
        jobs.load_request(file_store, state.job_id).batch_job_id
        == f"batch-{state.job_id}"
    )
    assert trainings.state(state.job_id).status == "SUBMITTED"


def test_a_young_job_that_batch_does_not_show_yet_is_not_failed(
    trainings: Trainings, batch: FakeBatch
) -> None:
    job_id = trainings.submit(SMALL, None)
    batch.jobs.clear()
    assert trainings.state(job_id).status == "SUBMITTED"


@pytest.mark.parametrize(
    ("word", "reason", "shown"),
    [
        ("FAILED", "Host EC2 terminated", "Host EC2 terminated"),
        ("FAILED", "", "container failed"),
        ("SUCCEEDED", "", "without a result"),
    ],
)
def test_a_training_whose_container_ended_without_a_result_is_failed(
    trainings: Trainings, batch: FakeBatch, word: str, reason: str, shown: str
) -> None:
    job_id = trainings.submit(SMALL, None)
    batch.jobs[f"batch-{job_id}"] = BatchJob(word, reason)
    state = trainings.state(job_id)
    assert state.status == "FAILED"
    assert shown in state.reason


OUT_OF_MEMORY = {
    "exitCode": 137,
    "reason": "OutOfMemoryError: Container killed due to memory usage",
}


@pytest.mark.parametrize(
    ("status_reason", "container", "reason"),
    [
        (
            "Host EC2 (instance i-0123) terminated.",
            {},
            "Host EC2 (instance i-0123) terminated.",
        ),
        (
            "Essential container in task exited",
            {"exitCode": 139},
            "Essential container in task exited, exit code 139",
        ),
        (
            "Essential container in task exited",
            OUT_OF_MEMORY,
            "The training ran out of memory. Deploy with more",
        ),
        (
            "Essential container in task exited",
            {"exitCode": 75},
            "The object store did not answer the training",
        ),
        (
            "Job attempt duration exceeded timeout",
            {},
            "The training exceeded its time limit. Ask for fewer epochs",
        ),
    ],
)
def test_the_reason_of_batch_comes_with_what_to_do(
    status_reason: str, container: dict[str, Any], reason: str
) -> None:
    job = BatchJob.from_json(
        {"status": "FAILED", "statusReason": status_reason, "container": container}
    )
    assert job.reason.startswith(reason)
    assert status_reason in job.reason


def test_a_state_change_is_recorded_without_a_request_to_batch(
    trainings: Trainings, batch: FakeBatch, file_store: Store
) -> None:
    job_id = trainings.submit(SMALL, None)
    change = {
        "jobName": job_id,
        "jobId": f"batch-{job_id}",
        "status": "FAILED",
        "statusReason": "Out of memory",
    }
    trainings.on_state_change(change)
    trainings.on_state_change(change | {"status": "RUNNING"})
    batch.jobs.clear()
    assert trainings.state(job_id).reason == "Out of memory"
    trainings.on_state_change(change | {"jobName": "not-ours"})
    assert jobs.list_job_ids(file_store).ids == [job_id]


def test_a_state_change_restores_a_batch_id_that_was_lost(
    trainings: Trainings, file_store: Store
) -> None:
    job_id = trainings.submit(SMALL, None)
    forget_batch_id(file_store, job_id)
    trainings.on_state_change(
        {"jobName": job_id, "jobId": "batch-7", "status": "RUNNABLE"}
    )
    assert jobs.load_request(file_store, job_id).batch_job_id == "batch-7"


def test_a_cancelled_job_stays_failed(
    trainings: Trainings, batch: FakeBatch, file_store: Store
) -> None:
    job_id = trainings.submit(SMALL, None)
    state = trainings.cancel(job_id)
    assert state.status == "FAILED"
    assert "Cancelled" in state.reason
    assert batch.jobs[f"batch-{job_id}"].status == "FAILED"
    trainings.cancel(job_id)
    late = Result(status="SUCCEEDED", reason="", finished=datetime.now(UTC))
    assert outcomes.end_job(file_store, job_id, late).status == "FAILED"


def test_a_cancellation_that_batch_missed_can_be_repeated(
    trainings: Trainings, batch: FakeBatch
) -> None:
    job_id = trainings.submit(SMALL, None)
    batch.is_down = True
    with pytest.raises(BatchError):
        trainings.cancel(job_id)
    batch.is_down = False
    trainings.cancel(job_id)
    assert batch.jobs[f"batch-{job_id}"].status == "FAILED"


def test_a_job_that_is_over_cannot_be_cancelled(
    trainings: Trainings, file_store: Store
) -> None:
    job_id = trainings.submit(SMALL, None)
    jobs.record_result(
        file_store,
        job_id,
        Result(status="SUCCEEDED", reason="", finished=datetime.now(UTC)),
    )
    with pytest.raises(ConflictError, match="over"):
        trainings.cancel(job_id)


def test_only_a_known_dataset_can_be_trained_on(
    trainings: Trainings, batch: FakeBatch
) -> None:
    with pytest.raises(UnknownError, match="unknown"):
        trainings.submit(Parameters(dataset="unknown"), None)
    with pytest.raises(UnknownError, match="mnist"):
        trainings.submit(Parameters(), None)
    assert batch.jobs == {}


def test_the_default_dataset_is_mnist_or_else_the_starter_set(
    trainings: Trainings, file_store: Store, small_npz: Path
) -> None:
    for name in ("starter", "mnist"):
        convert(file_store, name, small_npz)
        job_id = trainings.submit(Parameters(), None)
        assert trainings.state(job_id).dataset == name
