"""The whole story in containers: upload, convert, train, answer, roll back."""

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
# Enough to read the examples, without which no model is released.
TRAINING = {"architecture": "lab", "epochs": 3}
BATCH_WORDS = ["SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]


@pytest.fixture(scope="module")
def trained(cloud: Cloud, starter: str) -> list[dict[str, Any]]:
    """The states of a training, to its end. A person released its model, since the bundled one is better."""
    states = [*cloud.follow(cloud.train(dataset=starter, **TRAINING))]
    version = states[-1]["model_version"]
    cloud.api.post(
        f"/models/{version}/release", json={"reason": "try"}
    ).raise_for_status()
    return states


@pytest.fixture(scope="module")
def resumed(
    cloud: Cloud,
    starter: str,
    trained: list[dict[str, Any]],  # noqa: ARG001
) -> dict[str, Any]:
    """The end of a training whose container was killed, and that another one finished. It equals the live one.

    Batch would start that one; moto does not. It has the limits that the job definition
    sets, which moto ignores.
    """
    job_id = cloud.train(dataset=starter, **TRAINING)
    eventually(lambda: ((cloud.state(job_id)["progress"] or {}).get("epoch") or 0) > 1)
    shell.output("docker", "kill", cloud.aws.container(job_id))
    job = cloud.aws.describe_definition()["containerProperties"]
    variables = {entry["name"]: entry["value"] for entry in job["environment"]} | {
        "DIGITS_JOB_ID": job_id
    }
    limits = {
        requirement["type"]: requirement["value"]
        for requirement in job["resourceRequirements"]
    }
    shell.output(
        *(
            "docker",
            "run",
            "--rm",
            "--user",
            job["user"],
            "--memory",
            f"{limits['MEMORY']}m",
        ),
        *(["--read-only"] if job["readonlyRootFilesystem"] else []),
        *(f"--tmpfs={mount['containerPath']}" for mount in job["mountPoints"]),
        *(f"--env={name}={value}" for name, value in variables.items()),
        *("--add-host", "host.docker.internal:host-gateway", job["image"]),
    )
    return cloud.state(job_id)


def version_of(answer: httpx.Response) -> str:
    body = answer.raise_for_status().json()
    assert body["prediction"] == 8
    return str(body["model_version"])


def wait_for_version(cloud: Cloud, version: str) -> None:
    """A warm container looks for a newer release every 30 s."""
    eventually(lambda: version_of(cloud.predict(EIGHT)) == version)


def test_before_any_training_the_bundled_model_answers(cloud: Cloud) -> None:
    assert cloud.api.get("/models").raise_for_status().json()["live"] == "bundled"
    bundled = cloud.api.get("/models/bundled").raise_for_status().json()
    assert version_of(cloud.predict(EIGHT)) == bundled["model_version"]


def test_an_upload_becomes_a_dataset(cloud: Cloud, starter: str) -> None:
    listed = cloud.api.get("/datasets").raise_for_status().json()["datasets"]
    assert {
        "name": starter,
        "versions": [{"version": "1.0.0", "counts": {"train": 9000, "test": 1000}}],
    } in listed


def test_a_training_goes_through_batchs_states_to_an_accuracy(
    trained: list[dict[str, Any]],
) -> None:
    words = [state["status"] for state in trained]
    assert words == sorted(words, key=BATCH_WORDS.index)
    assert {"RUNNING", "SUCCEEDED"} <= set(words)
    assert trained[-1]["accuracy"] > 0.9
    assert "fitting" in {
        state["progress"]["phase"] for state in trained if state["progress"]
    }


def test_a_training_that_is_over_is_not_cancelled(
    cloud: Cloud, trained: list[dict[str, Any]]
) -> None:
    assert_problem(cloud.api.delete(f"/train/{trained[-1]['job_id']}"), 409)


def test_the_new_model_answers_from_a_warm_container(
    cloud: Cloud, trained: list[dict[str, Any]]
) -> None:
    wait_for_version(cloud, trained[-1]["model_version"])


def test_a_training_that_lost_its_machine_is_finished_by_another(
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
def test_bad_images_are_the_callers_to_mend(
    cloud: Cloud, make: Callable[[], bytes], status: int
) -> None:
    assert_problem(cloud.predict(make()), status)


def test_another_media_type_is_refused(cloud: Cloud) -> None:
    # As text: what is neither text nor a declared binary type, sam itself answers with a 502.
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
    assert_problem(
        cloud.api.request(method, path, content=body, headers=headers), status
    )
