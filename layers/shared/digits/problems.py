"""Errors as HTTP answers: `application/problem+json` (RFC 9457) from a Powertools resolver."""

import json
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from digits.errors import PROBLEM_JSON, DigitsError, UnknownError, to_answer


def install_handlers(app: APIGatewayRestResolver, logger: Logger) -> None:
    """Make `app` answer every error with a problem document, by `errors.to_answer`."""

    # Powertools' decorator has no type.
    @app.exception_handler(Exception)  # type: ignore[untyped-decorator]
    def answer_problem(error: Exception) -> Response[str]:
        return to_response(to_answer(error, logger))

    @app.not_found
    def answer_unknown_route(_: Exception) -> Response[str]:
        event = app.current_event
        route = f"{event.http_method} {event.path}"
        error = UnknownError(f"There is no route {route}. See GET /docs.")
        return to_response(error)


def to_response(error: DigitsError) -> Response[str]:
    """The error as a response of a route."""
    return Response(error.status.value, PROBLEM_JSON, json.dumps(error.problem()))


def to_proxy_response(error: DigitsError) -> dict[str, Any]:
    """The error as a handler's response to API Gateway."""
    body = json.dumps(error.problem())
    return {
        "statusCode": error.status.value,
        "headers": {"Content-Type": PROBLEM_JSON},
        "body": body,
    }
