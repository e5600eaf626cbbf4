"""What a request's body must be, whatever the route."""

from typing import Any

import pytest

from digits.errors import (
    DigitsError,
    InvalidParameterError,
    InvalidRequestError,
    UnsupportedMediaTypeError,
)
from request_body import check_body

DEEP = "[" * 100_000


def event(body: str | None, media_type: str | None = None) -> dict[str, Any]:
    headers = {"Content-Type": media_type} if media_type else None
    return {"body": body, "headers": headers, "isBase64Encoded": False}


@pytest.mark.parametrize("body", [None, "", "{}", '{"epochs": 1}'])
def test_a_json_object_or_no_body_is_accepted(body: str | None) -> None:
    check_body(event(body))
    check_body(event(body, "application/json; charset=utf-8"))


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ("[]", InvalidParameterError, "Send an object, such as {}"),
        ("7", InvalidParameterError, "Send an object, such as {}"),
        ("{", InvalidRequestError, "The body is not JSON"),
        (DEEP, InvalidRequestError, "Send a flat JSON object"),
    ],
)
def test_another_body_is_refused(
    body: str, error: type[DigitsError], message: str
) -> None:
    with pytest.raises(error, match=message):
        check_body(event(body))


@pytest.mark.parametrize(
    "media_type", ["application/x-www-form-urlencoded", "image/png", "text/plain"]
)
def test_another_content_type_is_refused(media_type: str) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="Send JSON"):
        check_body(event("{}", media_type))


def test_a_binary_body_is_refused() -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="Send JSON"):
        check_body(event("e30=") | {"isBase64Encoded": True})
