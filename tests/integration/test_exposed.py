"""A service that other machines reach, with an API key."""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from tests.integration.conftest import Service

KEY = "a-key-of-the-tests"
AUTHORIZATION = {"Authorization": f"Bearer {KEY}"}
# The path of the local Batch endpoint begins with this name, and is a secret.
BATCH_PATH = "_batch"


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = {
        "DIGITS_HOST": "0.0.0.0",  # noqa: S104
        "DIGITS_API_KEY": KEY,
        "DIGITS_ALLOWED_HOSTS": "digits.example.org",
    }
    running = Service(tmp_path_factory.mktemp("exposed"), **settings)
    yield running
    running.stop()
    running.client.close()


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({"Host": "192.0.2.7:3000"}, "http://192.0.2.7:3000"),
        ({"Host": "[fd00::7]:3000"}, "http://[fd00::7]:3000"),
        ({"Host": "digits.example.org"}, "http://digits.example.org"),
        (
            {"Host": "digits.example.org", "X-Forwarded-Proto": "https"},
            "https://digits.example.org",
        ),
        (
            {"Host": "digits.example.org:8443", "X-Forwarded-Proto": "HTTPS, http"},
            "https://digits.example.org:8443",
        ),
        (
            {"Host": "digits.example.org", "X-Forwarded-Proto": "javascript"},
            "http://digits.example.org",
        ),
        (
            {"Host": "digits.example.org", "X-Forwarded-Host": "evil.example"},
            "http://digits.example.org",
        ),
    ],
)
def test_the_upload_url_has_the_origin_of_the_request(
    exposed: Service, headers: dict[str, str], origin: str
) -> None:
    headers = headers | AUTHORIZATION
    answer = exposed.client.post("/datasets", json={"name": "mine"}, headers=headers)
    assert answer.json()["upload_url"] == f"{origin}/raw/mine.npz"


def test_an_upload_with_the_key_becomes_a_dataset(
    exposed: Service, tiny_npz: Path
) -> None:
    answer = exposed.client.post(
        "/datasets", json={"name": "tiny"}, headers=AUTHORIZATION
    )
    upload_url, note = answer.json()["upload_url"], answer.json()["note"]
    assert upload_url.startswith(str(exposed.client.base_url))
    assert "API key" in note
    content = tiny_npz.read_bytes()
    without_key = httpx.put(upload_url, content=content)
    assert without_key.status_code == HTTPStatus.UNAUTHORIZED
    with_key = httpx.put(upload_url, content=content, headers=AUTHORIZATION)
    assert with_key.status_code == HTTPStatus.OK
    exposed.client.headers.update(AUTHORIZATION)
    exposed.wait(lambda: bool(exposed.dataset("tiny").get("versions")), 30)


def test_a_training_needs_the_key_and_runs_in_the_local_batch(
    exposed: Service,
) -> None:
    client = exposed.client
    refused = client.post("/train", headers={"Authorization": ""})
    assert refused.status_code == HTTPStatus.UNAUTHORIZED
    parameters = {"dataset": "starter", "epochs": 1}
    started = client.post("/train", json=parameters, headers=AUTHORIZATION)
    assert started.status_code == HTTPStatus.ACCEPTED
    location = started.headers["location"]

    def is_running() -> bool:
        state = client.get(location, headers=AUTHORIZATION).json()
        return bool(state["status"] == "RUNNING")

    exposed.wait(is_running, 30)
    client.delete(location, headers=AUTHORIZATION).raise_for_status()
    log = exposed.log.read_text()
    assert "POST /train HTTP" in log
    assert BATCH_PATH not in log


@pytest.mark.parametrize("path", ["/", "/health", "/docs", "/openapi.json"])
def test_documentation_and_health_need_no_key(exposed: Service, path: str) -> None:
    answer = httpx.get(f"{exposed.client.base_url}{path}")
    assert answer.status_code == HTTPStatus.OK
