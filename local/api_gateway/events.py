"""HTTP requests as API Gateway REST proxy events, and handlers' answers as HTTP responses."""

import base64
import re
import time
import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from local.aws_lambda.pool import FunctionFailedError

STAGE = "local"


def to_event(
    request: Request, resource: str, body: bytes, binary_media_types: frozenset[str]
) -> dict[str, Any]:
    """The event for a request.

    Args:
        request: the request, with the path parameters of `resource`.
        resource: the route's path, such as `/train/{job_id}`.
        body: the whole body of the request.
        binary_media_types: content types whose bodies are base64-encoded. Other bodies
            are text. As in API Gateway, bytes that are not UTF-8 become U+FFFD.
    """
    path = request.scope["raw_path"].decode("ascii")
    headers = request.headers.items()
    query_string = request.scope["query_string"].decode("latin-1")
    query = parse_qsl(query_string, keep_blank_values=True)
    matching_types = binary_media_types & {"*/*", _media_type(request)}
    is_binary = bool(body and matching_types)
    return {
        "resource": resource,
        "path": path,
        "httpMethod": request.method,
        "headers": dict(headers),
        "multiValueHeaders": _lists(headers),
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": _lists(query) or None,
        "pathParameters": request.path_params or None,
        "stageVariables": None,
        "requestContext": _context(request, resource, path),
        "body": _encode(body, is_binary=is_binary) or None,
        "isBase64Encoded": is_binary,
    }


def to_response(answer: Any) -> Response:
    """The HTTP response for a handler's answer.

    Raises:
        FunctionFailedError: the answer is not a proxy response.
    """
    try:
        content = _decode(answer.get("body") or "", answer.get("isBase64Encoded"))
        response = Response(content, _final_status(answer["statusCode"]))
        headers = answer.get("headers") or {}
        for name, value in headers.items():
            response.headers[name] = str(value)
        repeated_headers = answer.get("multiValueHeaders") or {}
        for name, values in repeated_headers.items():
            for value in values:
                response.headers.append(name, str(value))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FunctionFailedError(
            f"The function's answer is not a proxy response: {error!r}."
        ) from error
    response.headers.setdefault("content-type", "application/json")
    return response


def _encode(body: bytes, *, is_binary: bool) -> str:
    if is_binary:
        return base64.b64encode(body).decode("ascii")
    return body.decode("utf-8", "replace")


def _decode(body: str, is_base64: object) -> bytes:
    if is_base64:
        return base64.b64decode(body, validate=True)
    return body.encode()


def _context(request: Request, resource: str, path: str) -> dict[str, Any]:
    now = time.time()
    return {
        "accountId": "123456789012",
        "apiId": "local",
        "domainName": re.sub(r":[0-9]*$", "", request.headers.get("host", "")),
        "httpMethod": request.method,
        "identity": {
            "sourceIp": request.client.host if request.client else None,
            "userAgent": request.headers.get("user-agent"),
        },
        "path": path,
        "protocol": f"HTTP/{request.scope['http_version']}",
        "requestId": str(uuid.uuid4()),
        "requestTimeEpoch": int(now * 1000),
        "resourcePath": resource,
        "stage": STAGE,
    }


def _final_status(value: Any) -> int:
    status = int(value)
    if status not in range(200, 600):
        raise ValueError(f"{status} is not a final HTTP status")
    return status


def _lists(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return lists


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
