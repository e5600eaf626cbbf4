"""Requests by host name and by the site of a page."""

from collections.abc import Callable
from http import HTTPStatus

import pytest

from tests.integration.local.api_gateway.conftest import KEY, KEY_HEADER
from tests.integration.local.conftest import Gateway


def predict(gateway: Gateway, host: str) -> int:
    """The status of a prediction at a host name."""
    return gateway.client.post("/predict", headers={"Host": host}).status_code


@pytest.mark.parametrize(
    "host",
    [
        "digits.example.org",
        "DIGITS.example.org:8443",
        "other.example:80",
        "localhost:1",
        "127.0.0.1",
        "192.168.7.7:3000",
        "[::1]:3000",
        "[fd00::7]",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_allowed_names_and_addresses_are_answered(
    exposed: Gateway, host: str, scheme: str
) -> None:
    headers = {"Host": host, "Origin": f"{scheme}://{host.lower()}"}
    assert exposed.client.post("/predict", headers=headers).status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "a.digits.example.org",
        "digits.example.org.",
        "example.org",
        "digits.example.orgs:80",
    ],
)
def test_another_name_is_refused_and_the_problem_names_the_setting(
    exposed: Gateway, host: str
) -> None:
    answer = exposed.client.post("/predict", headers={"Host": host})
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert f"DIGITS_ALLOWED_HOSTS={host.partition(':')[0]}." in answer.json()["detail"]
    headers = {"Host": host} | KEY_HEADER
    answer = exposed.client.get("/train/newest", headers=headers)
    assert answer.status_code == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "https://evil.example",
        "https://digits.example.org:8443",
        "https://digits.example.org/",
        "https://evil@digits.example.org",
        "ftp://digits.example.org",
        "digits.example.org",
        "https://other.example",
    ],
)
def test_pages_of_other_sites_are_refused_even_with_the_key(
    exposed: Gateway, origin: str
) -> None:
    headers = {"Host": "digits.example.org", "Origin": origin}
    preflight = headers | {"Access-Control-Request-Method": "POST"}
    answers = [
        exposed.client.post("/predict", headers=headers),
        exposed.client.options("/train", headers=preflight),
        exposed.client.get("/train/newest", headers=headers | KEY_HEADER),
    ]
    for answer in answers:
        assert answer.status_code == HTTPStatus.FORBIDDEN
        assert "access-control-allow-origin" not in answer.headers


def test_a_star_allows_any_valid_host_name(start: Callable[..., Gateway]) -> None:
    gateway = start(DIGITS_API_KEY=KEY, DIGITS_ALLOWED_HOSTS="*")
    assert predict(gateway, "any.example:1") == HTTPStatus.OK
    for host in ("", "a b", "any.example/", "user@any.example", "any.example:x"):
        assert predict(gateway, host) == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("host", ["192.168.7.7", "[fd00::7]:3000"])
def test_a_server_on_loopback_refuses_other_addresses(
    gateway: Gateway, host: str
) -> None:
    assert predict(gateway, host) == HTTPStatus.FORBIDDEN
    for loopback in ("[::1]:3000", "127.0.0.2"):
        assert predict(gateway, loopback) == HTTPStatus.OK
