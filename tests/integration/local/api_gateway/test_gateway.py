"""HTTP in, Lambda events out and back, through a real server and real processes."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.local.conftest import Gateway, eventually, is_alive

PNG = {"Content-Type": "image/png"}
EVERY_BYTE = bytes(range(256)) * 40


def assert_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:digits:")
    return problem


def ask(gateway: Gateway, **query: str) -> httpx.Response:
    return gateway.client.get("/predict", params=query)


def pieces(size: int) -> Iterator[bytes]:
    """A body that is sent chunked, so that no header tells its size."""
    for _ in range(size >> 16):
        yield bytes(1 << 16)


def test_a_binary_body_comes_through_whole_and_goes_back_whole(
    gateway: Gateway,
) -> None:
    answer = gateway.client.post(
        "/predict", params={"bytes": "1"}, content=EVERY_BYTE, headers=PNG
    )
    assert answer.content == EVERY_BYTE


def test_a_handler_sees_what_lambda_would_show_it(gateway: Gateway) -> None:
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


def test_functions_are_told_where_everything_is(gateway: Gateway) -> None:
    environment = ask(gateway).json()["about"]["environment"]
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
def test_another_method_is_told_the_allowed_ones(
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


def test_a_slash_at_the_end_is_the_same_resource(gateway: Gateway) -> None:
    event = gateway.client.get("/predict/").json()["event"]
    assert (event["path"], event["resource"]) == ("/predict/", "/predict")
    shown = gateway.client.get("/train/a%20b/").json()
    assert shown == {"resource": "/train/{job_id}", "parameters": {"job_id": "a b"}}


@pytest.mark.parametrize("send", [bytes, pieces])
def test_a_body_over_ten_mebibytes_is_refused(
    gateway: Gateway, send: Callable[[int], bytes | Iterator[bytes]]
) -> None:
    content = send((10 << 20) + (1 << 16))
    problem = assert_problem(
        gateway.client.post("/predict", content=content, headers=PNG), 413
    )
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
def test_pages_of_other_sites_are_kept_out(
    gateway: Gateway, headers: dict[str, str]
) -> None:
    assert_problem(gateway.client.get("/predict", headers=headers), 403)
    own_batch = gateway.variables()["AWS_ENDPOINT_URL_BATCH"]
    assert_problem(
        gateway.client.post(f"{own_batch}/v1/submitjob", headers=headers), 403
    )


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_gateways_own_pages_are_let_in(gateway: Gateway, name: str) -> None:
    host = f"{name}:{httpx.URL(gateway.url).port}"
    answer = gateway.client.get(
        "/predict", headers={"Host": host, "Origin": f"http://{host}"}
    )
    assert answer.status_code == httpx.codes.OK


def test_slow_requests_run_side_by_side_and_keep_their_answers_apart(
    gateway: Gateway,
) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda n: ask(gateway, n=str(n), sleep="0.3").json(), range(8))
        )
    assert [answer["event"]["queryStringParameters"]["n"] for answer in answers] == [
        str(n) for n in range(8)
    ]
    processes = {answer["about"]["pid"] for answer in answers}
    assert 1 <= len(processes) <= (os.cpu_count() or 1)
    if (os.cpu_count() or 1) > 1:
        assert len(processes) > 1


def test_an_idle_process_is_used_again(gateway: Gateway) -> None:
    assert ask(gateway).json()["about"]["pid"] == ask(gateway).json()["about"]["pid"]


def test_a_handler_that_raises_is_logged_and_goes_on(gateway: Gateway) -> None:
    before = ask(gateway).json()["about"]["pid"]
    assert_problem(ask(gateway, fail="the reason"), 502)
    assert "ValueError: the reason" in gateway.log.read_text()
    assert ask(gateway).json()["about"]["pid"] == before


def test_a_process_that_dies_is_replaced(gateway: Gateway) -> None:
    before = ask(gateway).json()["about"]["pid"]
    assert_problem(ask(gateway, exit="3"), 502)
    assert ask(gateway).json()["about"]["pid"] != before


def test_a_process_that_was_killed_while_idle_is_not_noticed(gateway: Gateway) -> None:
    before = ask(gateway).json()["about"]["pid"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: not is_alive(before))
    assert ask(gateway).json()["about"]["pid"] != before


@pytest.mark.parametrize(
    "more", ['{"statusCode": "odd"}', '{"body": 5}', '{"headers": 7}']
)
def test_an_answer_that_is_no_proxy_response_is_a_bad_gateway(
    gateway: Gateway, more: str
) -> None:
    assert_problem(ask(gateway, more=more), 502)


def test_an_answer_larger_than_lambda_gives_is_a_bad_gateway(gateway: Gateway) -> None:
    answer = gateway.client.post(
        "/predict", content="x" * (9 << 20), headers={"Content-Type": "text/plain"}
    )
    assert_problem(answer, 502)
    assert ask(gateway).status_code == httpx.codes.OK


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
def test_what_is_not_http_is_a_bad_request(gateway: Gateway, line: bytes) -> None:
    with connect(gateway) as connection:
        connection.sendall(line + b"\r\nHost: localhost\r\n\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 400 ")


def test_a_client_that_goes_away_half_way_is_no_error(gateway: Gateway) -> None:
    with connect(gateway) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf"
        )
    assert ask(gateway).status_code == httpx.codes.OK
    assert "Exception in ASGI" not in gateway.log.read_text()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_functions_end_with_the_gateway_even_at_work(
    own_gateway: Gateway, how: signal.Signals
) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(
            httpx.get, f"{own_gateway.url}/predict?sleep=60", timeout=70
        )
        process = int(
            eventually(lambda: read(own_gateway.root / "functions" / "predict" / "pid"))
        )
        own_gateway.stop(how)
        eventually(lambda: not is_alive(process), 5)
        if how == signal.SIGKILL:
            assert isinstance(waiting.exception(), httpx.TransportError)
        else:
            assert_problem(waiting.result(), 502)
    assert "Traceback" not in own_gateway.log.read_text()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_temporary_files_of_functions_go_with_the_gateway(
    own_gateway: Gateway, how: signal.Signals
) -> None:
    folder = Path(ask(own_gateway).json()["about"]["environment"]["TMPDIR"])
    (folder / "upload.npz").write_bytes(b"a")
    own_gateway.stop(how)
    eventually(lambda: not folder.exists(), 5)


def test_temporary_files_of_a_function_go_with_its_process(gateway: Gateway) -> None:
    about = ask(gateway).json()["about"]
    folder = Path(about["environment"]["TMPDIR"])
    (folder / "upload.npz").write_bytes(b"a")
    os.kill(about["pid"], signal.SIGKILL)
    eventually(lambda: not is_alive(about["pid"]))
    assert ask(gateway).json()["about"]["environment"]["TMPDIR"] != str(folder)
    assert not folder.exists()


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_a_function_that_cannot_be_loaded_does_not_keep_the_others_from_serving(
    root: Path,
) -> None:
    (root / "functions" / "predict" / "app.py").write_text("import nothing_of_the_kind")
    gateway = Gateway(root)
    try:
        assert_problem(ask(gateway), 502)
        assert "nothing_of_the_kind" in gateway.log.read_text()
        assert gateway.client.get("/train/1").status_code == httpx.codes.OK
    finally:
        gateway.stop()
