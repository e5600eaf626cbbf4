"""The predict function: `POST /predict`, `GET /health` and the page.

Without Powertools' resolver, whose import would make a cold start a third longer
(docs/decisions/0006).
"""

import base64
import binascii
import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import first_look  # isort: split

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

import page
from digits.arrays import Pixels
from digits.errors import (
    PROBLEM_JSON,
    DigitsError,
    InvalidImageError,
    InvalidParameterError,
    NotADigitError,
    UnknownError,
    UnsupportedMediaTypeError,
    to_answer,
)
from digits.imaging.normalise import read_digit
from digits.imaging.png import MAX_BYTES, too_many_bytes
from digits.models.live import LiveModel
from digits.requests import media_type
from digits.routes import HEALTH, PAGE, PREDICT, Route

if TYPE_CHECKING:
    from digits.api_gateway import Event, Response

BUNDLED = Path(__file__).parent / "model"
PNG = "image/png"

logger = Logger()
metrics = Metrics()
live_model = LiveModel(
    first_look.store,
    BUNDLED,
    first_look.settings.release_ttl,
    logger,
    first_look.served,
)


def handler(event: "Event", _: object) -> "Response":
    """Entry point: an API Gateway REST proxy event in, the response out."""
    route = event["httpMethod"], event["resource"]
    handle = HANDLERS.get(route, refuse_unknown_route)
    try:
        return handle(event)
    except DigitsError as error:
        # Lambda logs and counts every other error. The alarm that rolls back needs the count.
        problem = to_answer(error, logger).problem()
        return _respond(json.dumps(problem), PROBLEM_JSON, status=problem["status"])


def predict(event: "Event") -> "Response":
    """Read the digit on a PNG.

    Each request counts once: as a prediction, a rejection or an invalid request.
    """
    try:
        response = _predict(_read_body(event), accepts_any=_accepts_any(event))
    except DigitsError as error:
        is_rejection = isinstance(error, NotADigitError)
        _count("Rejections" if is_rejection else "InvalidRequests")
        raise
    _count("Predictions")
    return response


def show_health(_: "Event") -> "Response":
    """Show which model answers, and `degraded` if the live release could not be loaded."""
    version = live_model.current().manifest.version
    checked = live_model.checked
    state = {
        "status": "degraded" if live_model.problem else "ok",
        "reason": live_model.problem,
        "model_version": version,
        "release": live_model.release,
        "checked": checked.isoformat(timespec="seconds") if checked else None,
    }
    return _respond_json(state)


def show_page(_: "Event") -> "Response":
    """Show the page."""
    text, policy = page.read_page()
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}
    return _respond(text, "text/html; charset=utf-8", headers=headers)


def refuse_unknown_route(event: "Event") -> "Response":
    """Refuse a request that API Gateway would not pass on."""
    raise UnknownError(
        f"There is no route {event['httpMethod']} {event['path']}. See GET /docs."
    )


HANDLERS: "dict[Route, Callable[[Event], Response]]" = {
    PREDICT: predict,
    HEALTH: show_health,
    PAGE: show_page,
}


def _count(outcome: str) -> None:
    metrics.add_metric(outcome, MetricUnit.Count, 1)
    metrics.flush_metrics()


def _predict(png: bytes, *, accepts_any: bool) -> "Response":
    started = perf_counter()
    digit, doubt = _find_digit(png)
    decoded = perf_counter()
    classifier = live_model.current()
    answer = classifier.classify(digit)
    inferred = perf_counter()
    score, threshold = answer.score, classifier.threshold
    if score < threshold:
        doubt = (
            f"This picture does not look like a digit: its score is {score:.3g}, and a digit "
            f"has at least {threshold:.3g}. Send a picture of one handwritten digit."
        )
    if doubt and not accepts_any:
        advice = "For the best guess, add ?accept=any."
        raise NotADigitError(f"{doubt} {advice}", score=score, threshold=threshold)
    body = {
        "prediction": answer.digit,
        "confidence": answer.confidence,
        "probabilities": answer.probabilities,
        "score": score,
        "accepted": not doubt,
        "model_version": classifier.manifest.version,
    }
    decode_ms = (decoded - started) * 1e3
    infer_ms = (inferred - decoded) * 1e3
    timing = f"decode;dur={decode_ms:.3f}, infer;dur={infer_ms:.3f}"
    return _respond_json(body, {"Server-Timing": timing})


def _find_digit(png: bytes) -> tuple[Pixels, str]:
    """The part of the picture that is most like a digit, and why it may not be a digit."""
    try:
        return read_digit(png), ""
    except NotADigitError as error:
        if error.guess is None:
            raise
        return error.guess, error.detail


def _accepts_any(event: "Event") -> bool:
    accept = (event["queryStringParameters"] or {}).get("accept")
    if accept not in {None, "any"}:
        raise InvalidParameterError(
            f"The parameter accept is {accept!r}. Use accept=any, or leave accept out."
        )
    return accept is not None


def _read_body(event: "Event") -> bytes:
    """The PNG in the request's body."""
    content_type = media_type(event["headers"])
    if content_type != PNG:
        raise UnsupportedMediaTypeError(
            f"The Content-Type is {content_type or 'missing'}. "
            f"Send a PNG, with Content-Type: {PNG}."
        )
    body = event["body"]
    if not body:
        raise InvalidImageError("The request's body is empty. Send a PNG as the body.")
    if not event["isBase64Encoded"]:
        raise InvalidImageError("The request's body is text. Send a PNG as the body.")
    # Base64 has four characters per three bytes, of which two may be padding.
    decoded_size = len(body) * 3 // 4
    if decoded_size > MAX_BYTES + 2:
        raise too_many_bytes(decoded_size)
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise InvalidImageError(
            f"The request's body is not base64 ({error}). Send a PNG as the body."
        ) from error


def _respond_json(
    body: dict[str, Any], headers: dict[str, str] | None = None
) -> "Response":
    return _respond(json.dumps(body), headers=headers)


def _respond(
    body: str,
    content_type: str = "application/json",
    *,
    status: int = HTTPStatus.OK.value,
    headers: dict[str, str] | None = None,
) -> "Response":
    return {
        "statusCode": status,
        "headers": {"Content-Type": content_type, **(headers or {})},
        "body": body,
    }
