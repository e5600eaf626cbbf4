"""The whole service in one container: as its user runs it, and as compose.yaml does."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from cloud import shell
from tests.conftest import BUCKET, ROOT
from tests.e2e.aws import CREDENTIALS
from tests.e2e.cloud import PATIENCE_SECONDS
from tests.e2e.container import Container, predict, running, started
from tests.e2e.test_images import BASE, size

COMPLETE, SERVE = "digits:latest", "digits:serve"
SERVE_MAX_BYTES = 150e6
STOP_SECONDS = 5
# One that no image knows.
USER = os.getuid() or 1234
# What `docker run` calls the settings of compose.yaml.
OPTIONS = {
    "cap_drop": "--cap-drop",
    "environment": "--env",
    "mem_limit": "--memory",
    "restart": "--restart",
    "security_opt": "--security-opt",
}

pytestmark = pytest.mark.usefixtures("service_images")


@pytest.fixture
def volume() -> Iterator[str]:
    name = shell.output("docker", "volume", "create")
    yield name
    shell.output("docker", "volume", "rm", name)


@pytest.fixture
def owned_folder(tmp_path: Path) -> str:
    os.chown(tmp_path, USER, -1)
    return str(tmp_path)


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    """What compose.yaml says of the service."""
    document = yaml.safe_load((ROOT / "compose.yaml").read_text())
    (service,) = document["services"].values()
    (volume, folder) = service["volumes"][0].split(":")
    assert document["volumes"][volume]["name"]
    return {**service, "folder": folder}


def about(image: str) -> dict[str, Any]:
    """The image's configuration."""
    (found,) = json.loads(shell.output("docker", "image", "inspect", image))
    return dict(found["Config"])


def as_options(service: dict[str, Any], volume: str) -> list[str]:
    """How compose.yaml runs the service, for `docker run`."""
    found = [
        "--volume",
        f"{volume}:{service['folder']}",
        *["--read-only"] * service["read_only"],
    ]
    for setting, option in OPTIONS.items():
        values = service[setting]
        for value in values if isinstance(values, list) else [values]:
            found += [option, value]
    return found


def test_compose_asks_for_what_the_image_has(composed: dict[str, Any]) -> None:
    image = about(COMPLETE)
    assert composed["build"] == "."
    assert composed["image"] == "digits"
    assert composed["folder"] in image["Volumes"]
    assert f"DIGITS_STORE=file://{composed['folder']}" in image["Env"]
    (port,) = image["ExposedPorts"]
    assert [f"3000:{port.removesuffix('/tcp')}"] == composed["ports"]
    known = {
        "build",
        "image",
        "ports",
        "volumes",
        "folder",
        "read_only",
    } | OPTIONS.keys()
    assert composed.keys() == known


@pytest.mark.parametrize("image", [COMPLETE, SERVE])
def test_it_answers_at_every_address_and_wants_the_key_for_the_rest(
    image: str, volume: str
) -> None:
    with running(image, "--volume", f"{volume}:/data") as service:
        for url in (service.published(), service.own()):
            assert predict(url).json()["prediction"] == 8
            assert httpx.get(f"{url}/models").status_code == httpx.codes.UNAUTHORIZED
        with service.client() as client:
            (bundled,) = client.get("/models").raise_for_status().json()["models"]
        assert bundled["version"] == "bundled"


def test_the_command_line_is_there(volume: str) -> None:
    with running(COMPLETE, "--volume", f"{volume}:/data", "--read-only") as service:
        assert service.execute("digits", "doctor").startswith("Findings: 0")
        assert "bundled" in service.execute("digits", "models", "list")
        assert service.execute("digits", "predict", "example/8.png").startswith(
            "example/8.png: 8 "
        )
        commit = shell.output("git", "rev-parse", "--short", "HEAD")
        assert f"({commit}" in service.execute("digits", "--version")


@pytest.mark.parametrize("storage", ["volume", "owned_folder"])
def test_any_user_runs_it_on_a_read_only_root(
    storage: str, request: pytest.FixtureRequest
) -> None:
    place = request.getfixturevalue(storage)
    options = ("--user", f"{USER}:{USER}", "--read-only", "--volume", f"{place}:/data")
    with running(COMPLETE, *options) as service:
        assert predict(service.published()).json()["prediction"] == 8
        with service.client() as client:
            (starter,) = client.get("/datasets").raise_for_status().json()["datasets"]
        assert starter["name"] == "starter"
        assert starter["versions"]


def test_a_training_survives_a_kill_and_its_model_a_restart(
    composed: dict[str, Any], volume: str, tiny_npz: Path
) -> None:
    options = as_options(composed, volume)
    with running(COMPLETE, *options) as first, first.client() as client:
        upload(first, client, "tiny", tiny_npz.read_bytes())
        wanted = {
            "dataset": "tiny",
            "architecture": "lab",
            "epochs": 4,
            "batch_size": 32,
        }
        job_id = client.post("/train", json=wanted).raise_for_status().json()["job_id"]
        first.wait(lambda: phase(client, job_id) == "fitting")
        shell.output("docker", "kill", "--signal", "KILL", first.name)
    with running(COMPLETE, *options) as second:
        with second.client() as client:
            second.wait(
                lambda: state(client, job_id)["status"] in {"SUCCEEDED", "FAILED"},
                PATIENCE_SECONDS,
            )
            done = state(client, job_id)
            assert done["status"] == "SUCCEEDED", done
            version = done["model_version"]
            assert version in [
                model["version"] for model in client.get("/models").json()["models"]
            ]
            client.post(
                f"/models/{version}/release", json={"reason": "It is whole."}
            ).raise_for_status()
        key = client.headers["Authorization"]
        assert exit_status(second) == 0
        shell.output("docker", "start", second.name)
        second.wait_until_ready()
        assert httpx.get(f"{second.own()}/health").json()["model_version"] == version
        again = httpx.get(
            f"{second.own()}/models", headers={"Authorization": key}
        ).raise_for_status()
        assert again.json()["live"] == version


def test_with_a_bucket_for_a_store_the_jobs_are_in_the_volume(
    volume: str, moto_server: str
) -> None:
    # The host's network, to reach the bucket. Nobody else may reach the service there.
    address = {"DIGITS_HOST": "127.0.0.1", "PORT": "0"}
    store = {
        "DIGITS_STORE": f"s3://{BUCKET}",
        "AWS_ENDPOINT_URL": moto_server,
    } | CREDENTIALS
    variables = [f"--env={name}={value}" for name, value in (address | store).items()]
    with started(
        COMPLETE, "--volume", f"{volume}:/data", "--network", "host", *variables
    ) as service:
        service.wait(lambda: "runner.lock" in service.execute("find", "/data"))


def test_without_training_it_says_what_to_run(volume: str) -> None:
    with (
        running(SERVE, "--volume", f"{volume}:/data") as service,
        service.client() as client,
    ):
        answer = client.post("/train", json={})
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert answer.json()["type"] == "urn:digits:training-unavailable"
    assert "digits" in answer.json()["detail"]


def test_without_training_it_adds_little_to_its_base() -> None:
    assert size(SERVE) - size(BASE) <= SERVE_MAX_BYTES


def test_it_can_be_stopped_before_it_is_ready(volume: str) -> None:
    with started(SERVE, "--volume", f"{volume}:/data") as service:
        service.wait(lambda: service.catches(signal.SIGTERM))
        # What a shell says of a process that SIGTERM ended, or of a server that it stopped.
        assert exit_status(service) in {143, 0}


def test_docker_sees_whether_it_is_healthy(volume: str) -> None:
    often = (
        "--health-interval",
        "1s",
        "--health-timeout",
        "1s",
        "--health-retries",
        "1",
    )
    with running(SERVE, "--volume", f"{volume}:/data", *often) as service:
        service.wait(lambda: service.inspect("State", "Health", "Status") == "healthy")
        # Docker's own check goes on, and the server does not.
        shell.output("docker", "kill", "--signal", "STOP", service.name)
        service.wait(
            lambda: service.inspect("State", "Health", "Status") == "unhealthy"
        )


def test_a_store_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    command = [
        "docker",
        "run",
        "--rm",
        "--user",
        f"{USER}:{USER}",
        "--volume",
        f"{tmp_path}:/data",
        COMPLETE,
    ]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "/data" in line


def upload(service: Container, client: httpx.Client, name: str, npz: bytes) -> None:
    answer = client.post("/datasets", json={"name": name}).raise_for_status().json()
    client.put(answer["upload_url"], content=npz).raise_for_status()

    def is_converted() -> bool:
        listed = client.get("/datasets").raise_for_status().json()["datasets"]
        return any(
            dataset["name"] == name and dataset["versions"] for dataset in listed
        )

    service.wait(is_converted)


def exit_status(service: Container) -> int:
    """Its exit status after `docker stop`, which may not take until Docker kills it."""
    began = time.monotonic()
    shell.output("docker", "stop", service.name)
    assert time.monotonic() - began < STOP_SECONDS, service.log()
    return int(service.inspect("State", "ExitCode"))


def state(client: httpx.Client, job_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/train/{job_id}").raise_for_status().json()
    return answer


def phase(client: httpx.Client, job_id: str) -> str | None:
    progress = state(client, job_id)["progress"]
    return progress and str(progress["phase"])
