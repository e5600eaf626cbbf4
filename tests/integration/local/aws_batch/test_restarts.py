"""Trainings and jobs survive the end of the gateway."""

import os
import signal
import time

import pytest

from tests.integration.local.aws_batch.batch_client import (
    FINAL,
    describe_job,
    process_ids,
    submit,
    wait_for,
)
from tests.integration.local.conftest import Gateway, eventually, is_alive


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_training_continues_without_the_gateway_and_is_followed_again(
    own_gateway: Gateway, how: signal.Signals
) -> None:
    job_id = submit(own_gateway, "outlives", WAIT="1")
    (process,) = eventually(lambda: process_ids(own_gateway, "outlives"))
    wait_for(own_gateway, job_id, "RUNNING")
    for _ in range(2):
        own_gateway.stop(how)
        assert is_alive(process)
        own_gateway.start()
        assert describe_job(own_gateway, job_id)["status"] == "RUNNING"
    (own_gateway.root / "go").touch()
    assert wait_for(own_gateway, job_id, *FINAL)["status"] == "SUCCEEDED"
    assert process_ids(own_gateway, "outlives") == [process]


@pytest.mark.parametrize(("exits", "status"), [("0", "SUCCEEDED"), ("7", "FAILED")])
def test_the_exit_status_of_a_training_that_ended_meanwhile_is_known(
    own_gateway: Gateway, exits: str, status: str
) -> None:
    job_id = submit(own_gateway, "meanwhile", SECONDS="0.3", EXIT=exits)
    (process,) = eventually(lambda: process_ids(own_gateway, "meanwhile"))
    own_gateway.kill()
    eventually(lambda: not is_alive(process))
    own_gateway.start()
    job = wait_for(own_gateway, job_id, *FINAL)
    assert job["status"] == status
    assert len(process_ids(own_gateway, "meanwhile")) == (
        1 if status == "SUCCEEDED" else 2
    )


def test_a_training_killed_with_the_gateway_is_started_again(
    own_gateway: Gateway,
) -> None:
    job_id = submit(own_gateway, "lost", SECONDS="0.5")
    (process,) = eventually(lambda: process_ids(own_gateway, "lost"))
    own_gateway.kill()
    os.killpg(os.getpgid(process), signal.SIGKILL)
    own_gateway.start()
    job = wait_for(own_gateway, job_id, *FINAL)
    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"] for attempt in job["attempts"]] == [{}]
    assert len(process_ids(own_gateway, "lost")) == 2


def test_a_training_of_an_earlier_gateway_can_be_terminated(
    own_gateway: Gateway,
) -> None:
    job_id = submit(own_gateway, "adopted", SECONDS="60")
    (process,) = eventually(lambda: process_ids(own_gateway, "adopted"))
    own_gateway.kill()
    own_gateway.start()
    own_gateway.batch.terminate_job(jobId=job_id, reason="Enough")
    job = wait_for(own_gateway, job_id, *FINAL)
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
        assert wait_for(own_gateway, job_id, *FINAL)["status"] == "SUCCEEDED"
        assert len(process_ids(own_gateway, name)) == 1
