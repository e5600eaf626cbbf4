"""Gateways that need an API key, and checks of answers."""

from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.local.conftest import Gateway, lay_out

KEY = "a-key-of-the-tests"
KEY_HEADER = {"x-api-key": KEY}
ALLOWED_HOSTS = "digits.example.org, Other.example"


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that other machines reach, with a configured key."""
    folder = tmp_path_factory.mktemp("exposed")
    lay_out(folder)
    every_address = "0.0.0.0"  # noqa: S104
    settings = {"DIGITS_API_KEY": KEY, "DIGITS_ALLOWED_HOSTS": ALLOWED_HOSTS}
    running = Gateway(folder, every_address, **settings)
    yield running
    running.stop()


@pytest.fixture
def start(root: Path) -> Iterator[Callable[..., Gateway]]:
    """Starts gateways."""
    started: list[Gateway] = []

    def start(host: str = "127.0.0.1", **variables: str) -> Gateway:
        started.append(Gateway(root, host, **variables))
        return started[-1]

    yield start
    for gateway in started:
        gateway.stop()


def assert_unauthorized(answer: httpx.Response) -> None:
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


def assert_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:digits:")
    return problem


def predict(gateway: Gateway, **query: str) -> httpx.Response:
    return gateway.client.get("/predict", params=query)
