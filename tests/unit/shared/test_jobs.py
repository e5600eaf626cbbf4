from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from digits import jobs
from digits.errors import ConflictError, DamagedObjectError, UnknownError
from digits.jobs import Progress, Request, Result
from digits.parameters import Parameters
from digits.store import Store

NOW = datetime(2026, 1, 31, 10, 15, tzinfo=UTC)


def request_of(job_id: str) -> Request:
    return Request(
        job_id, NOW, "mnist", "1.0.0", Parameters().model_dump(), submission="one"
    )


def test_a_job_is_recorded_once(store: Store) -> None:
    jobs.create_job(store, request_of("a"))
    with pytest.raises(ConflictError):
        jobs.create_job(store, replace(request_of("a"), submission="another"))
    assert jobs.load_request(store, "a") == request_of("a")


def test_an_unknown_job_raises(store: Store) -> None:
    with pytest.raises(UnknownError, match="'a'"):
        jobs.load_request(store, "a")


def test_progress_replaces_earlier_progress(store: Store) -> None:
    assert jobs.load_progress(store, "a") is None
    for step in (1, 2):
        progress = Progress("fitting", NOW, 2.5, epoch=1, epochs=3, step=step, steps=9)
        jobs.save_progress(store, "a", progress)
    assert jobs.load_progress(store, "a") == progress


def test_a_job_without_a_request_is_not_listed(store: Store) -> None:
    for job_id in ("b", "a"):
        jobs.create_job(store, request_of(job_id))
    jobs.record_result(store, "never-created", Result.failed("no reason"))
    assert listed(store) == {"a", "b"}
    jobs.delete_request(store, "a")
    assert listed(store) == {"b"}


def listed(store: Store) -> set[str]:
    return {*jobs.load_jobs(store, jobs.list_job_ids(store).ids)}


def test_a_damaged_record_raises(store: Store) -> None:
    store.write("jobs/a/request.json", b"{}")
    with pytest.raises(DamagedObjectError, match=r"jobs/a/request\.json"):
        jobs.load_request(store, "a")


@pytest.mark.parametrize(
    "bad",
    [
        {"epochs": -1},
        {"epochs": 0},
        {"epochs": 10**9},
        {"epochs": 2.5},
        {"batch_size": 0},
        {"learning_rate": 0},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"seed": -1},
        {"architecture": "resnet"},
        {"dataset": "../mnist"},
        {"dataset": ""},
        {"epoch": 3},
    ],
)
def test_invalid_parameters_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Parameters(**bad)
