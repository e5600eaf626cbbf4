"""Jobs of the local Batch API, by AWS' own client, for tests."""

from typing import Any

from tests.integration.local.conftest import Gateway, eventually, plan_training

FINAL = ("SUCCEEDED", "FAILED")


def submit(gateway: Gateway, name: str, **plans: str) -> str:
    """Submit a job, and return its id. The plans steer the training."""
    plan_training(gateway.root, name, **plans)
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


def describe_job(gateway: Gateway, job_id: str) -> Any:
    (job,) = gateway.batch.describe_jobs(jobs=[job_id])["jobs"]
    return job


def wait_for(gateway: Gateway, job_id: str, *statuses: str) -> Any:
    """Wait until a job has one of the statuses, and return its description."""

    def reached() -> Any:
        job = describe_job(gateway, job_id)
        return job if job["status"] in statuses else None

    return eventually(reached)


def process_ids(gateway: Gateway, name: str) -> list[int]:
    """The process ids of a job's attempts."""
    path = gateway.root / "runs" / name
    if not path.exists():
        return []
    return [int(line) for line in path.read_text().split()]
