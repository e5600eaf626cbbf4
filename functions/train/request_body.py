"""What a request's body must be, whatever the route."""

import json
from typing import Any

from digits.errors import (
    InvalidParameterError,
    InvalidRequestError,
    UnsupportedMediaTypeError,
)
from digits.requests import media_type

JSON = "application/json"


def check_body(event: dict[str, Any]) -> None:
    """Check that a body is a JSON object.

    pydantic and Powertools would convert other bodies, or fail on them.

    Args:
        event: an API Gateway REST proxy event. The body may be missing.

    Raises:
        InvalidParameterError: the body is JSON, but no object.
        InvalidRequestError: the body is no JSON.
        UnsupportedMediaTypeError: the Content-Type is not JSON.
    """
    body = event["body"]
    if not body:
        return
    received = media_type(event["headers"], JSON)
    # curl's -d sends the Content-Type of a form, unless told otherwise.
    if received != JSON or event["isBase64Encoded"]:
        raise UnsupportedMediaTypeError(
            f"The Content-Type is {received}. Send JSON, with Content-Type: {JSON}."
        )
    if not isinstance(_parse(body), dict):
        raise InvalidParameterError(
            "The body is JSON, but not an object. Send an object, such as {}."
        )


def _parse(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise InvalidRequestError(f"The body is not JSON: {error}.") from error
    except RecursionError as error:
        raise InvalidRequestError(
            "The body nests too deeply. Send a flat JSON object."
        ) from error
