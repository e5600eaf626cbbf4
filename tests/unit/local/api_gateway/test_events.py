import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from local.api_gateway import events
from local.aws_lambda.pool import FunctionFailedError

PNG_ONLY = frozenset({"image/png"})
EVERYTHING = frozenset({"*/*"})


def request(
    path: str = "/train/1",
    query: str = "",
    headers: list[tuple[str, str]] | None = None,
    **scope: Any,
) -> Request:
    lines = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in headers or []
    ]
    return Request(
        {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "headers": lines,
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 3000),
            **scope,
        }
    )


def event(
    body: bytes = b"", binary: frozenset[str] = PNG_ONLY, **parts: Any
) -> dict[str, Any]:
    return events.to_event(request(**parts), "/train/{job_id}", body, binary)


def test_repeated_headers_and_parameters_are_lists_and_the_last_one_counts() -> None:
    made = event(
        headers=[("accept", "a"), ("accept", "b"), ("host", "localhost:3000")],
        query="n=1&n=2&empty&x=%20",
    )
    assert made["headers"] == {"accept": "b", "host": "localhost:3000"}
    assert made["multiValueHeaders"] == {
        "accept": ["a", "b"],
        "host": ["localhost:3000"],
    }
    assert made["queryStringParameters"] == {"n": "2", "empty": "", "x": " "}
    assert made["multiValueQueryStringParameters"] == {
        "n": ["1", "2"],
        "empty": [""],
        "x": [" "],
    }
    assert made["requestContext"]["domainName"] == "localhost"


def test_the_domain_name_of_an_ipv6_address_has_no_port() -> None:
    made = event(headers=[("host", "[::1]:3000")])
    assert made["requestContext"]["domainName"] == "[::1]"


def test_absent_parameters_and_an_empty_body_are_null() -> None:
    made = event()
    for name in (
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "body",
    ):
        assert made[name] is None
    assert made["isBase64Encoded"] is False


def test_the_path_is_percent_encoded_and_its_parameters_are_decoded() -> None:
    made = event(raw_path=b"/train/a%20b", path_params={"job_id": "a b"})
    context = made["requestContext"]
    assert made["path"] == context["path"] == "/train/a%20b"
    assert made["pathParameters"] == {"job_id": "a b"}
    assert made["resource"] == context["resourcePath"] == "/train/{job_id}"
    assert context["identity"]["sourceIp"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("media_type", "binary", "body"),
    [
        ("image/png", PNG_ONLY, "iVBORw=="),
        ("IMAGE/PNG; q=1", PNG_ONLY, "iVBORw=="),
        ("image/jpeg", PNG_ONLY, "\ufffdPNG"),
        ("image/pngx", PNG_ONLY, "\ufffdPNG"),
        ("", PNG_ONLY, "\ufffdPNG"),
        ("", EVERYTHING, "iVBORw=="),
        ("application/json", EVERYTHING, "iVBORw=="),
    ],
)
def test_bodies_of_binary_media_types_are_base64_encoded(
    media_type: str, binary: frozenset[str], body: str
) -> None:
    made = event(b"\x89PNG", binary, headers=[("content-type", media_type)])
    assert made["body"] == body
    assert made["isBase64Encoded"] is (body == "iVBORw==")


@given(
    body=st.binary(max_size=200),
    query=st.text(st.characters(codec="latin-1"), max_size=50),
    value=st.text(st.characters(codec="latin-1"), max_size=50),
    binary=st.sampled_from([PNG_ONLY, EVERYTHING, frozenset[str]()]),
)
def test_the_event_of_any_request_is_a_line_of_json(
    body: bytes, query: str, value: str, binary: frozenset[str]
) -> None:
    headers = [("content-type", value), ("host", value), ("x", value)]
    line = json.dumps(event(body, binary, query=query, headers=headers))
    made = json.loads(line)
    assert "\n" not in line
    if made["isBase64Encoded"]:
        assert base64.b64decode(made["body"]) == body


def test_a_proxy_response_becomes_an_http_response() -> None:
    response = events.to_response(
        {
            "statusCode": 201,
            "headers": {"Location": "/train/1", "Content-Type": "text/html"},
            "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
            "body": base64.b64encode(b"\x00\xff").decode(),
            "isBase64Encoded": True,
        }
    )
    assert (response.status_code, response.body) == (201, b"\x00\xff")
    assert response.headers["location"] == "/train/1"
    assert response.headers.getlist("content-type") == ["text/html"]
    assert response.headers.getlist("set-cookie") == ["a=1", "b=2"]


def test_json_is_the_default_media_type_of_a_response() -> None:
    response = events.to_response({"statusCode": 200, "body": "é"})
    assert response.headers["content-type"] == "application/json"
    assert events.to_response({"statusCode": 204}).body == b""


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "text",
        [],
        {},
        {"statusCode": "two hundred"},
        {"statusCode": 99},
        {"statusCode": 1000},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "body": "not base64", "isBase64Encoded": True},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "headers": {"X": "ł"}},
        {"statusCode": 200, "multiValueHeaders": {"X": 1}},
    ],
)
def test_an_invalid_proxy_response_is_a_failure_of_the_function(value: Any) -> None:
    with pytest.raises(FunctionFailedError, match="not a proxy response"):
        events.to_response(value)
