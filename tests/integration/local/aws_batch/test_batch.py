"""The look-alike of AWS Batch, spoken to with AWS' own client, and kept alive through kills."""

import os
import signal
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.integration.local.conftest import Gateway, eventually, is_alive, plan

OVER = ("SUCCEEDED", "FAILED")


def submit(gateway: Gateway, name: str, **how: str) -> str:
    plan(gateway.root, name, **how)
    environment = [{"name": "DIGITS_JOB_ID", "value": name}]
    answer = gateway.batch.submit_job(
        jobName=name,
        jobQueue="local",
        jobDefinition="training",
        containerOverrides={"environment": environment},
    )
    assert answer["jobName"] == name
    assert answer["jobArn"].endswith(answer["jobId"])
    return str(answer["jobId"])


def describe(gateway: Gateway, job_id: str) -> Any:
    (job,) = gateway.batch.describe_jobs(jobs=[job_id])["jobs"]
    return job


def wait(gateway: Gateway, job_id: str, *statuses: str) -> Any:
    def reached() -> Any:
        job = describe(gateway, job_id)
        return job if job["status"] in statuses else None

    return eventually(reached)


def runs(gateway: Gateway, name: str) -> list[int]:
    """The process ids of a job's attempts so far."""
    path = gateway.root / "runs" / name
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_a_job_goes_through_the_statuses_and_each_is_announced(
    gateway: Gateway,
) -> None:
    job_id = submit(gateway, "through")
    job = wait(gateway, job_id, *OVER)
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
    ended = [wait(gateway, job_id, *OVER) for job_id in jobs]
    for before, after in pairwise(ended):
        assert before["stoppedAt"] <= after["startedAt"]


def test_a_failed_attempt_is_tried_again(gateway: Gateway) -> None:
    job = wait(gateway, submit(gateway, "second", EXIT="7 0"), *OVER)
    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [7]
    assert len(runs(gateway, "second")) == 2


def test_a_job_that_fails_twice_has_failed(gateway: Gateway) -> None:
    job = wait(gateway, submit(gateway, "never", EXIT="7"), *OVER)
    assert (job["status"], job["statusReason"]) == (
        "FAILED",
        "Essential container in task exited",
    )
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [7, 7]
    assert len(runs(gateway, "never")) == 2


def test_a_killed_training_is_an_attempt(gateway: Gateway) -> None:
    job_id = submit(gateway, "killed", SECONDS="0.5")
    os.kill(eventually(lambda: runs(gateway, "killed"))[0], signal.SIGKILL)
    job = wait(gateway, job_id, *OVER)
    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [
        128 + signal.SIGKILL
    ]


def test_a_running_job_is_terminated_with_the_reason(gateway: Gateway) -> None:
    job_id = submit(gateway, "ended", SECONDS="60")
    process = eventually(lambda: runs(gateway, "ended"))[0]
    gateway.batch.terminate_job(jobId=job_id, reason="Not needed")
    job = wait(gateway, job_id, *OVER)
    assert (job["status"], job["statusReason"]) == ("FAILED", "Not needed")
    eventually(lambda: not is_alive(process))
    assert len(runs(gateway, "ended")) == 1


def test_a_waiting_job_is_terminated_before_it_runs(gateway: Gateway) -> None:
    first, second = submit(gateway, "first", SECONDS="60"), submit(gateway, "waiting")
    wait(gateway, second, "RUNNABLE")
    gateway.batch.terminate_job(jobId=second, reason="Changed my mind")
    job = wait(gateway, second, *OVER)
    assert (job["status"], job["statusReason"]) == ("FAILED", "Changed my mind")
    assert runs(gateway, "waiting") == []
    gateway.batch.terminate_job(jobId=first, reason="Done")
    wait(gateway, first, "FAILED")


def test_terminating_a_job_that_is_over_changes_nothing(gateway: Gateway) -> None:
    job_id = submit(gateway, "over")
    before = wait(gateway, job_id, *OVER)
    gateway.batch.terminate_job(jobId=job_id, reason="Too late")
    time.sleep(0.5)
    assert describe(gateway, job_id) == before


@pytest.mark.parametrize(
    "job_id", ["unknown", "../../etc", "00000000-0000-0000-0000-000000000000"]
)
def test_an_unknown_job_is_not_described_and_not_terminated(
    gateway: Gateway, job_id: str
) -> None:
    assert gateway.batch.describe_jobs(jobs=[job_id])["jobs"] == []
    with pytest.raises(ClientError, match="ClientException"):
        gateway.batch.terminate_job(jobId=job_id, reason="None")


def submission(name: str = "a", environment: str = "[]") -> str:
    overrides = f'{{"environment": {environment}}}'
    return f'{{"jobName": "{name}", "jobQueue": "q", "jobDefinition": "d", "containerOverrides": {overrides}}}'


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
def test_a_submission_that_cannot_be_run_is_refused(
    gateway: Gateway, body: str
) -> None:
    url = gateway.variables()["AWS_ENDPOINT_URL_BATCH"]
    answer = gateway.client.post(f"{url}/v1/submitjob", content=body)
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert answer.headers["x-amzn-errortype"] == "ClientException"


@pytest.mark.parametrize(
    "operation", ["submitjob", "terminatejob", "describejobs", "listjobs"]
)
def test_who_does_not_know_the_secret_path_cannot_use_it(
    gateway: Gateway, operation: str
) -> None:
    url = gateway.variables()["AWS_ENDPOINT_URL_BATCH"]
    guesses = ["", "/x", f"/{'A' * 43}", url.removeprefix(f"{gateway.url}/_batch")[:-1]]
    for guess in guesses:
        answer = gateway.client.post(
            f"/_batch{guess}/v1/{operation}", content=submission()
        )
        assert answer.status_code == httpx.codes.NOT_FOUND


def test_each_start_has_a_path_of_its_own(own_gateway: Gateway) -> None:
    before = own_gateway.variables()["AWS_ENDPOINT_URL_BATCH"].rpartition("/")[2]
    own_gateway.stop()
    own_gateway.start()
    assert (
        own_gateway.variables()["AWS_ENDPOINT_URL_BATCH"].rpartition("/")[2] != before
    )
    assert len(before) >= 43  # 256 bits


def test_functions_ask_no_proxy_for_it(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", gateway.variables()["no_proxy"])
    gateway.__dict__.pop("batch", None)
    assert gateway.batch.describe_jobs(jobs=["unknown"])["jobs"] == []


def test_a_job_is_found_by_its_name(gateway: Gateway) -> None:
    job_id = submit(gateway, "named")
    wait(gateway, job_id, "SUCCEEDED")
    names = [{"name": "JOB_NAME", "values": ["named"]}]
    (summary,) = gateway.batch.list_jobs(jobQueue="local", filters=names)[
        "jobSummaryList"
    ]
    job = describe(gateway, job_id)
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


def test_a_training_that_the_store_did_not_answer_is_tried_again(
    gateway: Gateway,
) -> None:
    job = wait(gateway, submit(gateway, "patient", EXIT="75 75 75 75 0"), *OVER)
    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [75] * 4


@pytest.mark.parametrize(
    ("how", "advice"),
    [("75", "object store did not answer"), ("lost", "Free disk space")],
)
def test_a_fault_that_does_not_pass_ends_the_job_and_says_what_to_do(
    gateway: Gateway, how: str, advice: str
) -> None:
    job = wait(gateway, submit(gateway, f"ends-{how}", EXIT=how), *OVER)
    assert job["status"] == "FAILED"
    assert advice in job["statusReason"]
    assert len(runs(gateway, f"ends-{how}")) == len(job["attempts"]) == 5


def test_what_a_training_leaves_in_its_temporary_folder_is_removed(
    gateway: Gateway,
) -> None:
    job_id = submit(gateway, "litter", LITTER="1", SECONDS="60")
    process = eventually(lambda: runs(gateway, "litter"))[0]
    folder = gateway.root / ".digits" / ".batch" / job_id
    assert list(folder.glob("tmp/*/litter"))
    os.kill(process, signal.SIGKILL)
    eventually(lambda: describe(gateway, job_id).get("attempts"))
    second = eventually(lambda: runs(gateway, "litter")[1:])[0]
    assert len(list(folder.glob("tmp/*/litter"))) == 1
    os.kill(second, signal.SIGKILL)
    assert wait(gateway, job_id, *OVER)["status"] == "FAILED"
    assert not (folder / "tmp").exists()


def test_a_folder_that_cannot_be_written_at_the_start_is_used_once_it_can(
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
        assert wait(gateway, submit(gateway, "late"), *OVER)["status"] == "SUCCEEDED"
        log = gateway.log.read_text()
        assert log.count("Jobs cannot run") == 1
        assert "Traceback" not in log
    finally:
        gateway.stop()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_training_goes_on_without_the_gateway_and_is_found_again(
    own_gateway: Gateway, how: signal.Signals
) -> None:
    job_id = submit(own_gateway, "outlives", WAIT="1")
    (process,) = eventually(lambda: runs(own_gateway, "outlives"))
    wait(own_gateway, job_id, "RUNNING")
    for _ in range(2):
        own_gateway.stop(how)
        assert is_alive(process)
        own_gateway.start()
        assert describe(own_gateway, job_id)["status"] == "RUNNING"
    (own_gateway.root / "go").touch()
    assert wait(own_gateway, job_id, *OVER)["status"] == "SUCCEEDED"
    assert runs(own_gateway, "outlives") == [process]


@pytest.mark.parametrize(("exits", "status"), [("0", "SUCCEEDED"), ("7", "FAILED")])
def test_a_training_that_ended_meanwhile_is_known_by_its_exit(
    own_gateway: Gateway, exits: str, status: str
) -> None:
    job_id = submit(own_gateway, "meanwhile", SECONDS="0.3", EXIT=exits)
    (process,) = eventually(lambda: runs(own_gateway, "meanwhile"))
    own_gateway.kill()
    eventually(lambda: not is_alive(process))
    own_gateway.start()
    job = wait(own_gateway, job_id, *OVER)
    assert job["status"] == status
    assert len(runs(own_gateway, "meanwhile")) == (1 if status == "SUCCEEDED" else 2)


def test_a_training_that_died_with_the_gateway_is_run_again(
    own_gateway: Gateway,
) -> None:
    job_id = submit(own_gateway, "lost", SECONDS="0.5")
    (process,) = eventually(lambda: runs(own_gateway, "lost"))
    own_gateway.kill()
    os.killpg(os.getpgid(process), signal.SIGKILL)
    own_gateway.start()
    job = wait(own_gateway, job_id, *OVER)
    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"] for attempt in job["attempts"]] == [{}]
    assert len(runs(own_gateway, "lost")) == 2


def test_an_adopted_training_can_be_terminated(own_gateway: Gateway) -> None:
    job_id = submit(own_gateway, "adopted", SECONDS="60")
    (process,) = eventually(lambda: runs(own_gateway, "adopted"))
    own_gateway.kill()
    own_gateway.start()
    own_gateway.batch.terminate_job(jobId=job_id, reason="Enough")
    job = wait(own_gateway, job_id, *OVER)
    assert (job["status"], job["statusReason"]) == ("FAILED", "Enough")
    eventually(lambda: not is_alive(process))


def test_no_job_is_lost_or_run_twice_when_the_gateway_is_killed_at_any_moment(
    own_gateway: Gateway,
) -> None:
    jobs = {}
    for n, delay in enumerate((0, 0.02, 0.1, 0.2, 0.3)):
        jobs[f"loop{n}"] = submit(own_gateway, f"loop{n}", SECONDS="0.1")
        time.sleep(delay)
        own_gateway.kill()
        own_gateway.start()
    for name, job_id in jobs.items():
        assert wait(own_gateway, job_id, *OVER)["status"] == "SUCCEEDED"
        assert len(runs(own_gateway, name)) == 1
