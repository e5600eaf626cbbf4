"""The whole service in one container, run by Docker and as compose.yaml says."""

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
from tests.stack import as_list

COMPLETE, SERVE = "digits:latest", "digits:serve"
SERVE_MAX_BYTES = 150e6
STOP_SECONDS = 5
TINY = {"dataset": "tiny", "architecture": "lab", "epochs": 4, "batch_size": 32}
# A user that no image knows.
USER = os.getuid() or 1234
# The options of `docker run` for the settings of compose.yaml.
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
    """The service of compose.yaml."""
    document = yaml.safe_load((ROOT / "compose.yaml").read_text())
    (service,) = document["services"].values()
    (volume, folder) = service["volumes"][0].split(":")
    assert document["volumes"][volume]["name"]
    return {**service, "folder": folder}


def configuration(image: str) -> dict[str, Any]:
    (description,) = json.loads(shell.output("docker", "image", "inspect", image))
    return dict(description["Config"])


def as_options(service: dict[str, Any], volume: str) -> list[str]:
    """The settings of compose.yaml as options of `docker run`."""
    options = ["--volume", f"{volume}:{service['folder']}"]
    if service["read_only"]:
        options.append("--read-only")
    for setting, option in OPTIONS.items():
        for value in as_list(service[setting]):
            options += [option, value]
    return options


def test_compose_asks_for_what_the_image_has(composed: dict[str, Any]) -> None:
    image = configuration(COMPLETE)
    assert composed["build"] == "."
    assert composed["image"] == "digits"
    assert composed["folder"] in image["Volumes"]
    assert f"DIGITS_STORE=file://{composed['folder']}" in image["Env"]
    (port,) = image["ExposedPorts"]
    assert [f"3000:{port.removesuffix('/tcp')}"] == composed["ports"]
    checked = {"build", "image", "ports", "volumes", "folder", "read_only"}
    assert composed.keys() == checked | OPTIONS.keys()


@pytest.mark.parametrize("image", [COMPLETE, SERVE])
def test_every_address_predicts_and_other_routes_need_the_key(
    image: str, volume: str
) -> None:
    with running(image, "--volume", f"{volume}:/data") as service:
        for url in (service.published(), service.own()):
            assert predict(url).json()["prediction"] == 8
            assert httpx.get(f"{url}/models").status_code == httpx.codes.UNAUTHORIZED
        with service.client() as client:
            (bundled,) = client.get("/models").raise_for_status().json()["models"]
        assert bundled["version"] == "bundled"


def test_the_command_line_is_installed(volume: str) -> None:
    with running(COMPLETE, "--volume", f"{volume}:/data", "--read-only") as service:
        assert service.execute("digits", "doctor").startswith("Findings: 0")
        assert "bundled" in service.execute("digits", "models", "list")
        prediction = service.execute("digits", "predict", "example/8.png")
        assert prediction.startswith("example/8.png: 8 ")
        commit = shell.output("git", "rev-parse", "--short", "HEAD")
        assert f"({commit}" in service.execute("digits", "--version")


@pytest.mark.parametrize("storage", ["volume", "owned_folder"])
def test_any_user_can_run_it_with_a_read_only_root(
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
        answer = client.post("/train", json=TINY).raise_for_status()
        job_id = answer.json()["job_id"]
        first.wait(lambda: phase(client, job_id) == "fitting")
        shell.output("docker", "kill", "--signal", "KILL", first.name)
    with running(COMPLETE, *options) as second:
        with second.client() as client:
            second.wait(lambda: is_over(client, job_id), PATIENCE_SECONDS)
            done = state(client, job_id)
            assert done["status"] == "SUCCEEDED", done
            version = done["model_version"]
            listed = client.get("/models").json()["models"]
            assert version in [model["version"] for model in listed]
            reason = {"reason": "Released by a test."}
            made = client.post(f"/models/{version}/release", json=reason)
            made.raise_for_status()
        key = client.headers["Authorization"]
        assert exit_status(second) == 0
        shell.output("docker", "start", second.name)
        second.wait_until_ready()
        url = second.own()
        assert httpx.get(f"{url}/health").json()["model_version"] == version
        models = httpx.get(f"{url}/models", headers={"Authorization": key})
        assert models.raise_for_status().json()["live"] == version


def test_with_a_store_in_a_bucket_the_volume_has_the_jobs(
    volume: str, moto_server: str
) -> None:
    # The service reaches the bucket by the host's network, where no other machine may reach the
    # service.
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


def test_the_image_without_training_names_the_image_with_training(volume: str) -> None:
    with (
        running(SERVE, "--volume", f"{volume}:/data") as service,
        service.client() as client,
    ):
        answer = client.post("/train", json={})
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert answer.json()["type"] == "urn:digits:training-unavailable"
    assert "digits" in answer.json()["detail"]


def test_the_image_without_training_adds_little_to_its_base() -> None:
    assert size(SERVE) - size(BASE) <= SERVE_MAX_BYTES


def test_it_can_be_stopped_before_it_is_ready(volume: str) -> None:
    with started(SERVE, "--volume", f"{volume}:/data") as service:
        service.wait(lambda: service.catches(signal.SIGTERM))
        # 143 is the status of a process that SIGTERM ended, 0 of a server that stopped by itself.
        assert exit_status(service) in {143, 0}


def test_docker_checks_its_health(volume: str) -> None:
    often = ["--health-interval=1s", "--health-timeout=1s", "--health-retries=1"]
    with running(SERVE, "--volume", f"{volume}:/data", *often) as service:
        service.wait(lambda: service.inspect("State", "Health", "Status") == "healthy")
        # A stopped server answers no check.
        shell.output("docker", "kill", "--signal", "STOP", service.name)
        service.wait(
            lambda: service.inspect("State", "Health", "Status") == "unhealthy"
        )


def test_a_read_only_store_is_reported_in_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    options = [f"--user={USER}:{USER}", f"--volume={tmp_path}:/data"]
    command = ["docker", "run", "--rm", *options, COMPLETE]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "/data" in line


def upload(service: Container, client: httpx.Client, name: str, npz: bytes) -> None:
    answer = client.post("/datasets", json={"name": name}).raise_for_status()
    client.put(answer.json()["upload_url"], content=npz).raise_for_status()

    def is_converted() -> bool:
        listed = client.get("/datasets").raise_for_status().json()["datasets"]
        converted = [dataset["name"] for dataset in listed if dataset["versions"]]
        return name in converted

    service.wait(is_converted)


def exit_status(service: Container) -> int:
    """The exit status after `docker stop`, which must end the service before Docker kills it."""
    started_at = time.monotonic()
    shell.output("docker", "stop", service.name)
    assert time.monotonic() - started_at < STOP_SECONDS, service.log()
    return int(service.inspect("State", "ExitCode"))


def state(client: httpx.Client, job_id: str) -> dict[str, Any]:
    answer = client.get(f"/train/{job_id}").raise_for_status()
    return dict(answer.json())


def is_over(client: httpx.Client, job_id: str) -> bool:
    return state(client, job_id)["status"] in {"SUCCEEDED", "FAILED"}


def phase(client: httpx.Client, job_id: str) -> str | None:
    progress = state(client, job_id)["progress"]
    return progress and str(progress["phase"])
