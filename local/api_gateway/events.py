"""HTTP requests as API Gateway REST proxy events, and what handlers return as HTTP responses."""

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
        request: its path parameters are those of `resource`.
        resource: the route's path, such as `/train/{job_id}`.
        body: the request's body, whole.
        binary_media_types: content types whose bodies are base64-encoded. Other bodies
            are text, in which bytes that are not UTF-8 become U+FFFD, as API Gateway
            does.
    """
    path = request.scope["raw_path"].decode("ascii")
    headers = request.headers.items()
    query = parse_qsl(
        request.scope["query_string"].decode("latin-1"), keep_blank_values=True
    )
    is_binary = bool(body) and not binary_media_types.isdisjoint(
        {"*/*", _media_type(request)}
    )
    text = (
        base64.b64encode(body).decode("ascii")
        if is_binary
        else body.decode("utf-8", "replace")
    )
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
        "body": text or None,
        "isBase64Encoded": is_binary,
    }


def to_response(answer: Any) -> Response:
    """The response that a handler returned.

    Raises:
        FunctionFailedError: it is not a proxy response.
    """
    try:
        body = answer.get("body") or ""
        content = (
            base64.b64decode(body, validate=True)
            if answer.get("isBase64Encoded")
            else body.encode()
        )
        response = Response(content, _final_status(answer["statusCode"]))
        for name, value in (answer.get("headers") or {}).items():
            response.headers[name] = str(value)
        for name, values in (answer.get("multiValueHeaders") or {}).items():
            for value in values:
                response.headers.append(name, str(value))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FunctionFailedError(
            f"The function's answer is not a proxy response: {error!r}."
        ) from error
    response.headers.setdefault("content-type", "application/json")
    return response


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
        raise ValueError(f"{status} is no status of an answer")
    return status


def _lists(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return lists


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
