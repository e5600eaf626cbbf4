"""Trainings and uploads that fail in containers, for reasons that the user can act on."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from cloud import shell
from tests.conftest import sample_event
from tests.e2e.cloud import Cloud, eventually
from tests.integration.answers import assert_problem
from tests.integration.bad_input import BAD_UPLOADS

# A training of this number of epochs outlasts any test.
EPOCHS = 200


@contextmanager
def changed(
    cloud: Cloud, part: str, change: Callable[[bytes], bytes | None]
) -> Iterator[None]:
    """Change the datasets' objects whose keys contain `part`, and restore them at the end.

    Args:
        cloud: has the store.
        part: of the keys.
        change: makes the new bytes; None deletes the object.
    """
    store = cloud.aws.store
    keys = [entry.key for entry in store.entries("datasets") if part in entry.key]
    original = {key: store.read(key) for key in keys}
    assert original
    for key, data in original.items():
        new = change(data)
        if new is None:
            store.delete(key)
        else:
            store.write(key, new)
    try:
        yield
    finally:
        for key, data in original.items():
            store.write(key, data)


def end_of(cloud: Cloud, job_id: str) -> dict[str, Any]:
    *_, last = cloud.follow(job_id)
    return last


def wait_until_batch_failed(cloud: Cloud, job_id: str) -> None:
    """Wait, and ask the service nothing: it would store moto's lack of a reason."""
    eventually(lambda: cloud.aws.job(job_id)["status"] == "FAILED")


def test_a_damaged_record_is_named(cloud: Cloud, starter: str) -> None:
    def flip_a_bit(shard: bytes) -> bytes:
        return shard[:100] + bytes([shard[100] ^ 1]) + shard[101:]

    with changed(cloud, ".tfrecord-", flip_a_bit):
        failed = end_of(cloud, cloud.train(dataset=starter))
    assert failed["status"] == "FAILED"
    assert "A record is damaged" in failed["reason"]
    assert "upload the dataset again" in failed["reason"]


def test_a_deleted_dataset_is_named(cloud: Cloud, starter: str) -> None:
    job_id = cloud.train(dataset=starter)
    with changed(cloud, f"/{starter}/", lambda _: None):
        failed = end_of(cloud, job_id)
    assert failed["status"] == "FAILED"
    assert (
        failed["reason"]
        == f"There is no dataset '{starter}' 1.0.0. List datasets with GET /datasets."
    )


def test_a_training_is_cancelled(cloud: Cloud, starter: str) -> None:
    before = cloud.api.get("/models").json()["live"]
    # The function answers before its time limit, even if the client would wait longer.
    wanted = {"dataset": starter, "epochs": EPOCHS}
    answer = cloud.api.post("/train", json=wanted, headers={"Prefer": "wait=600"})
    assert answer.status_code == httpx.codes.ACCEPTED
    job_id = answer.json()["job_id"]
    assert answer.headers["location"] == f"/train/{job_id}"
    eventually(lambda: cloud.aws.container(job_id))

    cancelled = cloud.api.delete(f"/train/{job_id}").raise_for_status().json()
    assert cancelled["status"] == "FAILED"
    assert cancelled["reason"] == f"Cancelled by DELETE /train/{job_id}"
    eventually(lambda: not cloud.aws.container(job_id))
    assert cloud.state(job_id)["reason"] == cancelled["reason"]
    assert cloud.api.get("/models").json()["live"] == before


def test_a_timeout_is_explained(cloud: Cloud, starter: str) -> None:
    body = json.dumps({"dataset": starter, "epochs": EPOCHS})
    event = sample_event("train") | {"body": body}
    definition = cloud.aws.short_definition
    answer = cloud.sam.invoke("Train", event, DIGITS_JOB_DEFINITION=definition)
    job_id = json.loads(answer["body"])["job_id"]
    assert answer["multiValueHeaders"]["Location"] == [f"/v1/train/{job_id}"]
    wait_until_batch_failed(cloud, job_id)

    ended = cloud.aws.job_event(job_id, "Job attempt duration exceeded timeout")
    cloud.sam.invoke("Train", ended)
    failed = cloud.state(job_id)
    assert failed["status"] == "FAILED"
    assert failed["reason"].startswith(
        "The training exceeded its time limit. Ask for fewer epochs"
    )


def test_running_out_of_memory_is_explained(cloud: Cloud, starter: str) -> None:
    job_id = cloud.train(dataset=starter, epochs=EPOCHS)
    shell.output("docker", "kill", eventually(lambda: cloud.aws.container(job_id)))
    wait_until_batch_failed(cloud, job_id)

    # moto does not tell how the container ended. ECS uses these words.
    reason = "OutOfMemoryError: Container killed due to memory usage"
    event = cloud.aws.job_event(
        job_id, "Essential container in task exited", exitCode=137, reason=reason
    )
    cloud.sam.invoke("Train", event)
    failed = cloud.state(job_id)
    assert failed["status"] == "FAILED"
    assert failed["reason"].startswith(
        "The training ran out of memory. Deploy with more TrainingMemory."
    )
    assert "exit code 137" in failed["reason"]


@pytest.mark.parametrize(("name", "make"), BAD_UPLOADS)
def test_a_bad_upload_is_refused(
    cloud: Cloud, name: str, make: Callable[[], bytes]
) -> None:
    refused = cloud.upload(name, make())
    assert refused["status"] == "refused"
    problem = assert_problem(cloud.api.post("/train", json={"dataset": name}), 422)
    assert refused["reason"] in problem["detail"]
