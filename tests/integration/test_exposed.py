"""A real service that other machines reach: what it says of itself is right for whoever asks."""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from tests.integration.conftest import Service

KEY = "a-key-of-the-tests"
SENT = {"Authorization": f"Bearer {KEY}"}


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
def test_an_upload_goes_where_the_client_called(
    exposed: Service, headers: dict[str, str], origin: str
) -> None:
    answer = exposed.client.post(
        "/datasets", json={"name": "mine"}, headers=headers | SENT
    )
    assert answer.json()["upload_url"] == f"{origin}/raw/mine.npz"


def test_an_upload_with_the_key_becomes_a_dataset(
    exposed: Service, tiny_npz: Path
) -> None:
    answer = exposed.client.post(
        "/datasets", json={"name": "tiny"}, headers=SENT
    ).json()
    assert answer["upload_url"].startswith(str(exposed.client.base_url))
    assert "API key" in answer["note"]
    content = tiny_npz.read_bytes()
    assert (
        httpx.put(answer["upload_url"], content=content).status_code
        == HTTPStatus.UNAUTHORIZED
    )
    assert (
        httpx.put(answer["upload_url"], content=content, headers=SENT).status_code
        == HTTPStatus.OK
    )
    exposed.client.headers.update(SENT)
    exposed.wait(lambda: bool(exposed.dataset("tiny").get("versions")), 30)


def test_a_training_starts_with_the_key_and_the_job_is_its_own_batch_s(
    exposed: Service,
) -> None:
    assert (
        exposed.client.post("/train", headers={"Authorization": ""}).status_code
        == HTTPStatus.UNAUTHORIZED
    )
    started = exposed.client.post(
        "/train", json={"dataset": "starter", "epochs": 1}, headers=SENT
    )
    assert started.status_code == HTTPStatus.ACCEPTED
    location = started.headers["location"]
    exposed.wait(
        lambda: (
            exposed.client.get(location, headers=SENT).json()["status"] == "RUNNING"
        ),
        30,
    )
    exposed.client.delete(location, headers=SENT).raise_for_status()
    log = exposed.log.read_text()
    assert "POST /train HTTP" in log
    # The path of its own Batch is a secret.
    assert "_batch" not in log


def test_documentation_is_open(exposed: Service) -> None:
    for path in ("/", "/health", "/docs", "/openapi.json"):
        assert (
            httpx.get(f"{exposed.client.base_url}{path}").status_code == HTTPStatus.OK
        )
