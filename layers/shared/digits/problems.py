"""Errors as HTTP answers: `application/problem+json` (RFC 9457) from a Powertools resolver."""

import json
from http import HTTPStatus

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from digits.errors import DigitsError, UnknownError

PROBLEM_JSON = "application/problem+json"


def install(app: APIGatewayRestResolver, logger: Logger) -> None:
    """Make `app` answer every error with a problem document.

    A `DigitsError` is the caller's to mend and says how; a `StoreError` and its like (5xx) are logged as warnings.
    Anything else is a fault of ours: logged with its traceback, and answered without details.
    """

    @app.exception_handler(DigitsError)  # type: ignore[untyped-decorator]  # Powertools has no type for it
    def answer_problem(error: DigitsError) -> Response[str]:
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.warning(error.detail)
        return to_response(error)

    @app.exception_handler(Exception)  # type: ignore[untyped-decorator]
    def answer_fault(error: Exception) -> Response[str]:
        return fault(error, logger)

    @app.not_found
    def answer_unknown_route(_: Exception) -> Response[str]:
        event = app.current_event
        return to_response(UnknownError(f"There is no route {event.http_method} {event.path}. See GET /docs."))


def fault(error: Exception, logger: Logger) -> Response[str]:
    """Log what should not have happened, and answer without its details."""
    logger.error("Unhandled error", exc_info=error)
    return to_response(DigitsError("The service failed. It has been logged; try again later."))


def to_response(error: DigitsError) -> Response[str]:
    """The error as an HTTP answer."""
    return Response(error.status.value, PROBLEM_JSON, json.dumps(error.problem()))
