"""The local Batch API, called by AWS' own client."""

import os
import signal
import time
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.integration.local.aws_batch.batch_client import (
    FINAL,
    describe_job,
    process_ids,
    submit,
    wait_for,
)
from tests.integration.local.conftest import Gateway, eventually, is_alive


def test_each_change_of_a_status_is_announced(
    gateway: Gateway,
) -> None:
    job_id = submit(gateway, "through")
    job = wait_for(gateway, job_id, *FINAL)
    assert job["status"] == "SUCCEEDED"
    assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]
    assert job["container"]["environment"] == [
        {"name": "DIGITS_JOB_ID", "value": "through"}
    ]

    def announced() -> list[str]:
        details = [event["detail"] for event in gateway.events("aws.batch")]
        return [
            detail["status"] for detail in details if detail["jobName"] == "through"
        ]

    eventually(lambda: "SUCCEEDED" in announced())
    assert announced() == ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]
    last = gateway.events("aws.batch")[-1]
    assert last["detail-type"] == "Batch Job State Change"
    assert (last["detail"]["jobId"], last["detail"]["jobQueue"]) == (job_id, "local")


def test_jobs_run_one_at_a_time_in_order(gateway: Gateway) -> None:
    jobs = [submit(gateway, f"queued{n}", SECONDS="0.3") for n in range(3)]
    ended = [wait_for(gateway, job_id, *FINAL) for job_id in jobs]
    for before, after in pairwise(ended):
        assert before["stoppedAt"] <= after["startedAt"]


def test_a_failed_attempt_is_repeated(gateway: Gateway) -> None:
    job = wait_for(gateway, submit(gateway, "second", EXIT="7 0"), *FINAL)
    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [7]
    assert len(process_ids(gateway, "second")) == 2


def test_a_job_fails_after_two_crashes(gateway: Gateway) -> None:
    job = wait_for(gateway, submit(gateway, "never", EXIT="7"), *FINAL)
    assert (job["status"], job["statusReason"]) == (
        "FAILED",
        "Essential container in task exited",
    )
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [7, 7]
    assert len(process_ids(gateway, "never")) == 2


def test_a_killed_training_counts_as_an_attempt(gateway: Gateway) -> None:
    job_id = submit(gateway, "killed", SECONDS="0.5")
    os.kill(eventually(lambda: process_ids(gateway, "killed"))[0], signal.SIGKILL)
    job = wait_for(gateway, job_id, *FINAL)
    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [
        128 + signal.SIGKILL
    ]


def test_a_running_job_is_terminated_with_the_reason(gateway: Gateway) -> None:
    job_id = submit(gateway, "ended", SECONDS="60")
    process = eventually(lambda: process_ids(gateway, "ended"))[0]
    gateway.batch.terminate_job(jobId=job_id, reason="Not needed")
    job = wait_for(gateway, job_id, *FINAL)
    assert (job["status"], job["statusReason"]) == ("FAILED", "Not needed")
    eventually(lambda: not is_alive(process))
    assert len(process_ids(gateway, "ended")) == 1


def test_a_waiting_job_can_be_terminated(gateway: Gateway) -> None:
    first, second = submit(gateway, "first", SECONDS="60"), submit(gateway, "waiting")
    wait_for(gateway, second, "RUNNABLE")
    gateway.batch.terminate_job(jobId=second, reason="Changed my mind")
    job = wait_for(gateway, second, *FINAL)
    assert (job["status"], job["statusReason"]) == ("FAILED", "Changed my mind")
    assert process_ids(gateway, "waiting") == []
    gateway.batch.terminate_job(jobId=first, reason="Done")
    wait_for(gateway, first, "FAILED")


def test_the_termination_of_a_finished_job_changes_nothing(gateway: Gateway) -> None:
    job_id = submit(gateway, "over")
    before = wait_for(gateway, job_id, *FINAL)
    gateway.batch.terminate_job(jobId=job_id, reason="Too late")
    time.sleep(0.5)
    assert describe_job(gateway, job_id) == before


@pytest.mark.parametrize(
    "job_id", ["unknown", "../../etc", "00000000-0000-0000-0000-000000000000"]
)
def test_an_unknown_job_is_neither_described_nor_terminated(
    gateway: Gateway, job_id: str
) -> None:
    assert gateway.batch.describe_jobs(jobs=[job_id])["jobs"] == []
    with pytest.raises(ClientError, match="ClientException"):
        gateway.batch.terminate_job(jobId=job_id, reason="None")


def submission(name: str = "a", environment: str = "[]") -> str:
    overrides = f'{{"environment": {environment}}}'
    return (
        f'{{"jobName": "{name}", "jobQueue": "q", "jobDefinition": "d", '
        f'"containerOverrides": {overrides}}}'
    )


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        submission(name="a b"),
        submission(environment="[{}]"),
        submission(environment='[{"name": "DIGITS_JOB_ID", "value": "\\u0000"}]'),
        submission(environment='[{"name": "DIGITS_JOB_ID", "value": "\\ud800"}]'),
        submission(environment='[{"name": "DIGITS_JOB_ID", "value": "../a"}]'),
        submission(environment='[{"name": "PYTHONPATH", "value": "/tmp"}]'),
    ],
)
def test_an_invalid_submission_is_refused(gateway: Gateway, body: str) -> None:
    url = gateway.variables()["AWS_ENDPOINT_URL_BATCH"]
    answer = gateway.client.post(f"{url}/v1/submitjob", content=body)
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert answer.headers["x-amzn-errortype"] == "ClientException"


@pytest.mark.parametrize(
    "operation", ["submitjob", "terminatejob", "describejobs", "listjobs"]
)
def test_callers_without_the_secret_path_are_refused(
    gateway: Gateway, operation: str
) -> None:
    url = gateway.variables()["AWS_ENDPOINT_URL_BATCH"]
    guesses = ["", "/x", f"/{'A' * 43}", url.removeprefix(f"{gateway.url}/_batch")[:-1]]
    for guess in guesses:
        answer = gateway.client.post(
            f"/_batch{guess}/v1/{operation}", content=submission()
        )
        assert answer.status_code == httpx.codes.NOT_FOUND


def test_each_start_has_a_new_secret_path(own_gateway: Gateway) -> None:
    before = own_gateway.variables()["AWS_ENDPOINT_URL_BATCH"].rpartition("/")[2]
    own_gateway.stop()
    own_gateway.start()
    assert (
        own_gateway.variables()["AWS_ENDPOINT_URL_BATCH"].rpartition("/")[2] != before
    )
    assert len(before) >= 43  # 256 bits


def test_functions_call_the_batch_api_without_a_proxy(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", gateway.variables()["no_proxy"])
    gateway.__dict__.pop("batch", None)
    assert gateway.batch.describe_jobs(jobs=["unknown"])["jobs"] == []


def test_jobs_are_listed_by_name(gateway: Gateway) -> None:
    job_id = submit(gateway, "named")
    wait_for(gateway, job_id, "SUCCEEDED")
    names = [{"name": "JOB_NAME", "values": ["named"]}]
    (summary,) = gateway.batch.list_jobs(jobQueue="local", filters=names)[
        "jobSummaryList"
    ]
    job = describe_job(gateway, job_id)
    assert summary == {name: job[name] for name in summary}
    assert (summary["jobId"], summary["jobName"], summary["status"]) == (
        job_id,
        "named",
        "SUCCEEDED",
    )
    assert summary["createdAt"]
    names = [{"name": "JOB_NAME", "values": ["name"]}]
    assert (
        gateway.batch.list_jobs(jobQueue="local", filters=names)["jobSummaryList"] == []
    )


def test_a_training_is_repeated_if_the_store_did_not_answer(
    gateway: Gateway,
) -> None:
    job = wait_for(gateway, submit(gateway, "patient", EXIT="75 75 75 75 0"), *FINAL)
    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [75] * 4


@pytest.mark.parametrize(
    ("how", "advice"),
    [("75", "object store did not answer"), ("lost", "Free disk space")],
)
def test_a_permanent_fault_ends_the_job_with_advice(
    gateway: Gateway, how: str, advice: str
) -> None:
    job = wait_for(gateway, submit(gateway, f"ends-{how}", EXIT=how), *FINAL)
    assert job["status"] == "FAILED"
    assert advice in job["statusReason"]
    assert len(process_ids(gateway, f"ends-{how}")) == len(job["attempts"]) == 5


def test_the_temporary_folder_of_a_training_is_removed(
    gateway: Gateway,
) -> None:
    job_id = submit(gateway, "litter", LITTER="1", SECONDS="60")
    process = eventually(lambda: process_ids(gateway, "litter"))[0]
    folder = gateway.root / ".digits" / ".batch" / job_id
    assert list(folder.glob("tmp/*/litter"))
    os.kill(process, signal.SIGKILL)
    eventually(lambda: describe_job(gateway, job_id).get("attempts"))
    second = eventually(lambda: process_ids(gateway, "litter")[1:])[0]
    assert len(list(folder.glob("tmp/*/litter"))) == 1
    os.kill(second, signal.SIGKILL)
    assert wait_for(gateway, job_id, *FINAL)["status"] == "FAILED"
    assert not (folder / "tmp").exists()


def test_a_folder_that_becomes_writable_is_used(
    root: Path,
) -> None:
    folder = root / ".digits" / ".batch"
    folder.parent.mkdir()
    folder.write_text("no folder")
    gateway = Gateway(root)
    try:
        with pytest.raises(ClientError, match="ServerException"):
            submit(gateway, "early")
        folder.unlink()
        assert (
            wait_for(gateway, submit(gateway, "late"), *FINAL)["status"] == "SUCCEEDED"
        )
        log = gateway.log.read_text()
        assert log.count("Jobs cannot run") == 1
        assert "Traceback" not in log
    finally:
        gateway.stop()
