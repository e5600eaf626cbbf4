"""The stack in containers: upload, convert, train, predict, roll back."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from cloud import shell
from tests.conftest import ROOT
from tests.e2e.cloud import Cloud, eventually
from tests.integration.answers import assert_problem
from tests.integration.bad_input import BAD_IMAGES

EIGHT = (ROOT / "example" / "8.png").read_bytes()
# The model must read the examples, or the gate releases no model.
TRAINING = {"architecture": "lab", "epochs": 3}
BATCH_WORDS = ["SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]


@pytest.fixture(scope="module")
def trained(cloud: Cloud, starter: str) -> list[dict[str, Any]]:
    """The states of a training until its end. The model is then released by hand."""
    states = [*cloud.follow(cloud.train(dataset=starter, **TRAINING))]
    version = states[-1]["model_version"]
    path, reason = f"/models/{version}/release", {"reason": "try"}
    cloud.api.post(path, json=reason).raise_for_status()
    return states


@pytest.fixture(scope="module")
def resumed(
    cloud: Cloud, starter: str, trained: list[dict[str, Any]]
) -> dict[str, Any]:
    """The end of a training whose container was killed. A second container resumed the training.

    Batch would start the second container; moto does not.
    """
    del trained  # The gate compares with that model, which is as good.
    job_id = cloud.train(dataset=starter, **TRAINING)

    def is_in_the_second_epoch() -> bool:
        progress = cloud.state(job_id)["progress"] or {}
        return (progress.get("epoch") or 0) > 1

    eventually(is_in_the_second_epoch)
    shell.output("docker", "kill", cloud.aws.container(job_id))
    run_job(cloud, job_id)
    return cloud.state(job_id)


def run_job(cloud: Cloud, job_id: str) -> None:
    """Run a job with the limits of the job definition, which moto ignores."""
    job = cloud.aws.describe_definition()["containerProperties"]
    needed = {part["type"]: part["value"] for part in job["resourceRequirements"]}
    options = ["--rm", "--user", job["user"], "--memory", f"{needed['MEMORY']}m"]
    if job["readonlyRootFilesystem"]:
        options.append("--read-only")
    options += [f"--tmpfs={mount['containerPath']}" for mount in job["mountPoints"]]
    for variable in job["environment"]:
        options += ["--env", f"{variable['name']}={variable['value']}"]
    options += ["--env", f"DIGITS_JOB_ID={job_id}"]
    options += ["--add-host", "host.docker.internal:host-gateway"]
    shell.output("docker", "run", *options, job["image"])


def version_of(answer: httpx.Response) -> str:
    body = answer.raise_for_status().json()
    assert body["prediction"] == 8
    return str(body["model_version"])


def wait_for_version(cloud: Cloud, version: str) -> None:
    """Wait for the model: a warm container looks for a newer release every 30 s."""
    eventually(lambda: version_of(cloud.predict(EIGHT)) == version)


def test_before_any_training_the_bundled_model_answers(cloud: Cloud) -> None:
    assert cloud.api.get("/models").raise_for_status().json()["live"] == "bundled"
    bundled = cloud.api.get("/models/bundled").raise_for_status().json()
    assert version_of(cloud.predict(EIGHT)) == bundled["model_version"]


def test_an_upload_becomes_a_dataset(cloud: Cloud, starter: str) -> None:
    listed = cloud.api.get("/datasets").raise_for_status().json()["datasets"]
    version = {"version": "1.0.0", "counts": {"train": 9000, "test": 1000}}
    assert {"name": starter, "versions": [version]} in listed


def test_a_training_goes_through_the_states_of_batch(
    trained: list[dict[str, Any]],
) -> None:
    words = [state["status"] for state in trained]
    assert words == sorted(words, key=BATCH_WORDS.index)
    assert {"RUNNING", "SUCCEEDED"} <= set(words)
    assert trained[-1]["accuracy"] > 0.9
    reports = [state["progress"] for state in trained if state["progress"]]
    assert "fitting" in {report["phase"] for report in reports}


def test_a_training_that_is_over_cannot_be_cancelled(
    cloud: Cloud, trained: list[dict[str, Any]]
) -> None:
    assert_problem(cloud.api.delete(f"/train/{trained[-1]['job_id']}"), 409)


def test_the_new_model_answers_from_a_warm_container(
    cloud: Cloud, trained: list[dict[str, Any]]
) -> None:
    wait_for_version(cloud, trained[-1]["model_version"])


def test_another_machine_resumes_a_training(
    cloud: Cloud, resumed: dict[str, Any]
) -> None:
    assert cloud.aws.job(resumed["job_id"])["status"] == "FAILED"
    assert resumed["status"] == "SUCCEEDED", resumed
    wait_for_version(cloud, resumed["model_version"])


def test_a_rollback_takes_effect_in_a_warm_container(
    cloud: Cloud, trained: list[dict[str, Any]], resumed: dict[str, Any]
) -> None:
    old = trained[-1]["model_version"]
    assert cloud.api.get("/models").json()["live"] == resumed["model_version"]
    made = cloud.api.post(f"/models/{old}/release", json={"reason": "try a rollback"})
    assert made.status_code == httpx.codes.CREATED
    wait_for_version(cloud, old)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/", "<canvas"),
        ("/docs", "SwaggerUIBundle"),
        ("/openapi.json", '"/models/{version}/release"'),
    ],
)
def test_the_page_and_the_description_are_served(
    cloud: Cloud, path: str, text: str
) -> None:
    assert text in cloud.api.get(path).raise_for_status().text


@pytest.mark.parametrize(("make", "status"), BAD_IMAGES)
def test_a_bad_image_is_a_problem_of_the_request(
    cloud: Cloud, make: Callable[[], bytes], status: int
) -> None:
    assert_problem(cloud.predict(make()), status)


def test_another_media_type_is_refused(cloud: Cloud) -> None:
    # sam itself answers 502 to a body that is neither text nor a declared binary type.
    assert_problem(cloud.predict(b"eight", "image/jpeg"), 415)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/train", "{", 400),
        ("POST", "/train", '{"epochs": -1}', 422),
        ("POST", "/train", '{"architecture": "unknown"}', 422),
        ("POST", "/train", '{"dataset": "nothing_uploaded"}', 404),
        ("POST", "/datasets", '{"name": "../etc"}', 422),
        ("GET", "/train/no-such-job", None, 404),
        ("DELETE", "/train/no-such-job", None, 404),
        ("GET", "/models/no-such-model", None, 404),
        ("POST", "/models/no-such-model/release", '{"reason": "try"}', 404),
    ],
)
def test_bad_requests_are_problems(
    cloud: Cloud, method: str, path: str, body: str | None, status: int
) -> None:
    headers = {"Content-Type": "application/json"} if body else {}
    answer = cloud.api.request(method, path, content=body, headers=headers)
    assert_problem(answer, status)
