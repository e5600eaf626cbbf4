"""The API key, when other machines reach the server or a proxy forwards their requests."""

import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import need
from tests.integration.local.api_gateway.conftest import (
    KEY,
    KEY_HEADER,
    assert_unauthorized,
)
from tests.integration.local.conftest import Gateway, plan_training

# Longer than any request that is answered at once.
TIMEOUT_SECONDS = 20


def own_address() -> str | None:
    """An address of this machine that other machines can reach. UDP's connect sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


def addresses() -> Iterator[str]:
    yield "0.0.0.0"  # noqa: S104
    yield "127.0.0.2"
    yield "localhost"
    if own := own_address():
        yield own
    if Path("/proc/net/if_inet6").exists():
        yield from ("::", "::1")


def ask(gateway: Gateway, **headers: str) -> httpx.Response:
    return gateway.client.get("/train/newest", headers=headers)


@pytest.mark.parametrize("host", [*addresses()])
def test_the_server_and_its_batch_api_answer_at_every_address(
    start: Callable[..., Gateway], host: str
) -> None:
    gateway = start(host, DIGITS_API_KEY=KEY)
    assert httpx.URL(gateway.url).host not in ("0.0.0.0", "::")  # noqa: S104  no browser goes there
    assert gateway.client.post("/predict").status_code == HTTPStatus.OK
    plan_training(gateway.root, "job")
    submitted = gateway.batch.submit_job(
        jobName="job", jobQueue="local", jobDefinition="training"
    )
    assert gateway.batch.describe_jobs(jobs=[submitted["jobId"]])["jobs"]
    assert_unauthorized(ask(gateway))
    assert ask(gateway, **KEY_HEADER).status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/predict", 200),
        ("POST", "/predict/", 200),
        ("OPTIONS", "/predict", 405),
        # The test project does not have these routes.
        ("GET", "/", 404),
        ("HEAD", "/", 404),
        ("GET", "/health", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
    ],
)
def test_open_requests_need_no_key(
    exposed: Gateway, method: str, path: str, status: int
) -> None:
    assert exposed.client.request(method, path).status_code == status


def test_other_requests_need_the_key_and_all_get_the_same_answer(
    exposed: Gateway,
) -> None:
    requests = [
        ("GET", "/predict"),
        ("DELETE", "/predict"),
        ("POST", "/"),
        ("POST", "/train"),
        ("POST", "/train/"),
        ("OPTIONS", "/train"),
        ("GET", "/train/newest"),
        ("GET", "/train/nothing"),
        ("GET", "/nowhere"),
        ("GET", "//"),
        ("GET", "/health/../train/newest"),
        ("POST", "/predict/%2E%2E/train"),
        ("PUT", "/raw/mine.npz"),
        ("POST", "/_batch/v1/submitjob"),
        ("POST", "/_batch/x/v1/submitjob"),
        ("GET", "/pages/%00%FF"),
    ]
    url = exposed.url
    answers = [
        exposed.client.request(method, httpx.URL(url, raw_path=path.encode()))
        for method, path in requests
    ]
    for answer in answers:
        assert_unauthorized(answer)
    assert len({answer.text for answer in answers}) == 1
    assert_unauthorized(exposed.client.head("/train/newest"))


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer  {KEY}"},
        {"x-api-key": KEY},
        {"X-API-Key": KEY, "Authorization": "Basic dXNlcjpwYXNz"},
        {"x-api-key": "wrong", "Authorization": f"Bearer {KEY}"},
    ],
)
def test_the_key_gives_access(exposed: Gateway, headers: dict[str, str]) -> None:
    assert ask(exposed, **headers).status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"Authorization": f"Bearer {KEY}, {KEY}"},
        {"Authorization": "Bearer"},
        {"x-api-key": ""},
        {"x-api-key": KEY.upper()},
        {"x-api-key": b"\xff\xe9"},
    ],
)
def test_a_wrong_key_gives_no_access(exposed: Gateway, headers: Any) -> None:
    assert_unauthorized(exposed.client.get("/train/newest", headers=headers))


def test_an_upload_without_the_key_is_refused_before_its_body_arrives(
    exposed: Gateway,
) -> None:
    url = httpx.URL(exposed.url)
    head = b"PUT /raw/mine.npz HTTP/1.1\r\nHost: localhost\r\n"
    head += b"Content-Length: 200000000\r\n\r\n"
    address = (url.host, url.port or 0)
    with socket.create_connection(address, TIMEOUT_SECONDS) as connection:
        connection.sendall(head)
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 401 ")
    answer = exposed.client.put("/raw/mine.npz", content=b"npz", headers=KEY_HEADER)
    assert answer.status_code == HTTPStatus.OK


def test_a_request_that_waits_for_a_training_sends_the_key_once(
    exposed: Gateway,
) -> None:
    states = exposed.root / "states"
    states.mkdir(exist_ok=True)
    (states / "waited").write_text('{"status": "SUCCEEDED"}')
    headers = {"Prefer": "wait=10", "Idempotency-Key": "waited"}
    assert_unauthorized(exposed.client.post("/train", headers=headers))
    assert exposed.client.post("/train", headers=headers | KEY_HEADER).json() == {
        "status": "SUCCEEDED"
    }


def test_functions_and_trainings_do_not_get_the_key(exposed: Gateway) -> None:
    assert KEY not in exposed.variables().values()


def test_a_generated_key_is_kept_and_printed(start: Callable[..., Gateway]) -> None:
    need("curl")
    gateway = start("0.0.0.0")  # noqa: S104
    path = gateway.root / ".digits" / ".batch" / "api-key"
    key = path.read_text().strip()
    assert path.stat().st_mode & 0o777 == 0o600
    for _ in range(2):
        log = gateway.log.read_text()
        printed = re.search(r"^  curl .*/train$", log, re.MULTILINE)
        assert printed
        assert key in printed[0]
        command = printed[0].replace("/train", "/train/newest").replace("POST", "GET")
        output = subprocess.check_output(command, shell=True, text=True)  # noqa: S602
        assert '"resource"' in output
        gateway.stop()
        gateway.start()


def test_a_configured_key_is_not_printed(exposed: Gateway) -> None:
    log = exposed.log.read_text()
    assert KEY not in log
    assert '-H "Authorization: Bearer $DIGITS_API_KEY"' in log


@pytest.mark.parametrize(
    "variables",
    [
        {"DIGITS_API_KEY": KEY},
        {"DIGITS_ALLOWED_HOSTS": "digits.example.org"},
        {"DIGITS_PREDICT_KEY": "required"},
    ],
)
def test_a_server_behind_a_proxy_needs_the_key(
    start: Callable[..., Gateway], variables: dict[str, str]
) -> None:
    assert_unauthorized(ask(start(**variables)))


def test_predictions_need_the_key_if_configured(start: Callable[..., Gateway]) -> None:
    gateway = start(DIGITS_API_KEY=KEY, DIGITS_PREDICT_KEY="required")
    for path in ("/predict", "/predict/"):
        assert_unauthorized(gateway.client.post(path))
        assert (
            gateway.client.post(path, headers=KEY_HEADER).status_code == HTTPStatus.OK
        )
    assert '-H "Authorization: Bearer $DIGITS_API_KEY" http' in gateway.log.read_text()
