"""HTTP requests become Lambda events, and answers become HTTP responses, in a real server."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.integration.local.api_gateway.conftest import assert_problem, predict
from tests.integration.local.conftest import Gateway

PNG = {"Content-Type": "image/png"}
EVERY_BYTE = bytes(range(256)) * 40


def pieces(size: int) -> Iterator[bytes]:
    """A body that is sent in chunks, without a Content-Length header."""
    for _ in range(size >> 16):
        yield bytes(1 << 16)


def test_a_binary_body_arrives_and_returns_unchanged(
    gateway: Gateway,
) -> None:
    answer = gateway.client.post(
        "/predict", params={"bytes": "1"}, content=EVERY_BYTE, headers=PNG
    )
    assert answer.content == EVERY_BYTE


def test_a_handler_gets_the_event_and_the_context_of_lambda(gateway: Gateway) -> None:
    answer = gateway.client.post(
        "/predict?n=1&n=2", content='{"é": 1}', headers={"X-One": "1"}
    ).json()
    event, about = answer["event"], answer["about"]
    assert (event["httpMethod"], event["path"], event["body"]) == (
        "POST",
        "/predict",
        '{"é": 1}',
    )
    assert event["multiValueQueryStringParameters"] == {"n": ["1", "2"]}
    assert event["headers"]["x-one"] == "1"
    assert event["requestContext"]["domainName"] == "127.0.0.1"
    assert (about["name"], about["memory"]) == ("Predict", 256)
    assert 0 < about["left"] <= 3_600_000
    assert about["path"] == str(gateway.root / "functions" / "predict")


def test_functions_get_their_settings_as_variables(gateway: Gateway) -> None:
    environment = predict(gateway).json()["about"]["environment"]
    assert environment["GREETING"] == "hello"
    assert environment["DIGITS_STORE"] == (gateway.root / ".digits").as_uri()
    assert environment["DIGITS_RELEASE_TTL"] == "0"
    assert environment["DIGITS_UPLOAD_PATH"] == "/raw/"
    assert environment["AWS_ENDPOINT_URL_BATCH"].startswith(f"{gateway.url}/_batch/")


@pytest.mark.parametrize(
    ("path", "resource", "parameters"),
    [
        ("/train/a%20b", "/train/{job_id}", {"job_id": "a b"}),
        ("/train/%FF%00", "/train/{job_id}", {"job_id": "\ufffd\0"}),
        ("/train/newest", "/train/newest", None),
        ("/pages/a/b.html", "/pages/{path+}", {"path": "a/b.html"}),
    ],
)
def test_a_path_finds_its_resource(
    gateway: Gateway, path: str, resource: str, parameters: Any
) -> None:
    assert gateway.client.get(path).json() == {
        "resource": resource,
        "parameters": parameters,
    }


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/", "//", "/predict//", "/predict/8", "/train/a%2Fb", "/raw/x"],
)
def test_an_unknown_route_is_not_found(gateway: Gateway, path: str) -> None:
    assert_problem(gateway.client.get(gateway.url + path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/predict", "GET, HEAD, POST"),
        ("DELETE", "/predict/", "GET, HEAD, POST"),
        ("HEAD", "/train", "POST"),
        ("POST", "/train/1", "GET, HEAD"),
        ("GET", "/raw/a.npz", "PUT"),
    ],
)
def test_a_wrong_method_is_answered_with_the_allowed_methods(
    gateway: Gateway, method: str, path: str, allowed: str
) -> None:
    answer = gateway.client.request(method, path)
    assert answer.status_code == httpx.codes.METHOD_NOT_ALLOWED
    assert answer.headers["allow"] == allowed
    if method != "HEAD":
        usable = allowed.replace(", HEAD", "").replace(", ", " or ")
        assert assert_problem(answer, 405)["detail"] == f"Use {usable} at {path}."


@pytest.mark.parametrize("path", ["/predict", "/train/newest", "/train/newest/"])
def test_head_is_answered_as_get_without_the_body(gateway: Gateway, path: str) -> None:
    head, get = gateway.client.head(path), gateway.client.get(path)
    assert head.status_code == get.status_code == httpx.codes.OK
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.content == b""
    assert int(head.headers["content-length"]) > 0


def test_a_path_with_a_slash_at_its_end_is_the_same_resource(gateway: Gateway) -> None:
    event = gateway.client.get("/predict/").json()["event"]
    assert (event["path"], event["resource"]) == ("/predict/", "/predict")
    shown = gateway.client.get("/train/a%20b/").json()
    assert shown == {"resource": "/train/{job_id}", "parameters": {"job_id": "a b"}}


@pytest.mark.parametrize("send", [bytes, pieces])
def test_a_body_over_ten_mebibytes_is_refused(
    gateway: Gateway, send: Callable[[int], bytes | Iterator[bytes]]
) -> None:
    content = send((10 << 20) + (1 << 16))
    answer = gateway.client.post("/predict", content=content, headers=PNG)
    problem = assert_problem(answer, 413)
    assert "10 MiB" in problem["detail"]


def test_a_body_of_ten_mebibytes_is_passed_on(gateway: Gateway) -> None:
    answer = gateway.client.post(
        '/predict?more={"body":""}', content=pieces(10 << 20), headers=PNG
    )
    assert answer.status_code == httpx.codes.OK


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:3000"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "127.0.0.1#.evil.example"},
        {"Host": "127.0.0.1/.evil.example"},
        {"Host": "127.0.0.1?.evil.example"},
        {"Host": "evil.example@127.0.0.1"},
        {"Host": "127.0.0.1:x"},
        {"Host": "127.0.0.1:1:2"},
        {"Host": "localhost."},
        {"Host": "["},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
def test_pages_of_other_sites_are_refused(
    gateway: Gateway, headers: dict[str, str]
) -> None:
    assert_problem(gateway.client.get("/predict", headers=headers), 403)
    own_batch = gateway.variables()["AWS_ENDPOINT_URL_BATCH"]
    answer = gateway.client.post(f"{own_batch}/v1/submitjob", headers=headers)
    assert_problem(answer, 403)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_pages_of_the_server_are_answered(gateway: Gateway, name: str) -> None:
    host = f"{name}:{httpx.URL(gateway.url).port}"
    answer = gateway.client.get(
        "/predict", headers={"Host": host, "Origin": f"http://{host}"}
    )
    assert answer.status_code == httpx.codes.OK


def connect(gateway: Gateway) -> socket.socket:
    url = httpx.URL(gateway.url)
    return socket.create_connection((url.host, url.port or 0), timeout=10)


@pytest.mark.parametrize(
    "line",
    [
        b"GET / \xff HTTP/1.1",
        b"GET /\xff HTTP/1.1",
        b"nonsense",
        b"POST /predict HTTP/1.1\r\nContent-Length: -1",
        b"POST /predict HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6",
        b"GET /predict HTTP/1.1\r\nX: " + bytes(1 << 17),
    ],
)
def test_invalid_http_is_a_bad_request(gateway: Gateway, line: bytes) -> None:
    with connect(gateway) as connection:
        connection.sendall(line + b"\r\nHost: localhost\r\n\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 400 ")


def test_a_client_that_disconnects_causes_no_error(gateway: Gateway) -> None:
    with connect(gateway) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf"
        )
    assert predict(gateway).status_code == httpx.codes.OK
    assert "Exception in ASGI" not in gateway.log.read_text()
