"""A training as the API answers."""

from datetime import UTC, datetime

from batch_client import BatchJob
from digits.jobs import Progress, Records, Request, Result
from training_state import TrainingState

NOW = datetime(2026, 1, 31, 10, 15, tzinfo=UTC)
PARAMETERS = {"dataset": "small", "architecture": "lab", "epochs": 3}
REQUEST = Request("job", NOW, "small", "1.0.0", PARAMETERS)
PROGRESS = Progress("fitting", NOW, eta_seconds=12.5, epoch=1, epochs=3)


def test_a_training_that_runs_has_batchs_status_and_its_own_progress() -> None:
    records = Records(REQUEST, result=None, progress=PROGRESS)
    job = BatchJob("RUNNING", reason="")
    document = TrainingState.from_records(records, job, result=None).to_json()
    progress = document.pop("progress")
    assert document == {
        "job_id": "job",
        "status": "RUNNING",
        "reason": "",
        "created": "2026-01-31T10:15:00+00:00",
        "dataset": "small",
        "dataset_version": "1.0.0",
        "parameters": {"architecture": "lab", "epochs": 3},
        "accuracy": None,
        "model_version": None,
        "released": False,
    }
    assert progress["phase"] == "fitting"
    assert progress["updated"] == "2026-01-31T10:15:00+00:00"
    assert progress["eta_seconds"] == 12.5


def test_a_training_that_batch_does_not_know_yet_is_submitted() -> None:
    records = Records(REQUEST, result=None, progress=None)
    state = TrainingState.from_records(records, job=None, result=None)
    assert (state.status, state.is_over) == ("SUBMITTED", False)
    assert state.to_json()["progress"] is None


def test_the_result_counts_more_than_what_batch_says() -> None:
    result = Result("SUCCEEDED", "Released", NOW, 0.99, "v1", released=True)
    records = Records(REQUEST, result, PROGRESS)
    job = BatchJob("FAILED", reason="Host EC2 terminated")
    state = TrainingState.from_records(records, job, result)
    assert (state.status, state.reason, state.is_over) == (
        "SUCCEEDED",
        "Released",
        True,
    )
    assert (state.accuracy, state.model_version) == (0.99, "v1")
    assert state.released
