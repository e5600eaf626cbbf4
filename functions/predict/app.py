"""The data plane: `POST /predict`, `GET /health` and the page.

Its three routes go without Powertools' resolver, whose import would make a cold start a
third longer (docs/decisions/0006).
"""

import base64
import binascii
import json
from http import HTTPStatus
from pathlib import Path
from time import perf_counter
from typing import Any

import first_look  # isort: split

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

import page
from digits.arrays import Pixels
from digits.errors import (
    PROBLEM_JSON,
    DigitsError,
    ImageTooLargeError,
    InvalidImageError,
    InvalidParameterError,
    NotADigitError,
    UnknownError,
    UnsupportedMediaTypeError,
    to_answer,
)
from digits.imaging.normalise import read_digit
from digits.imaging.png import MAX_BYTES
from digits.models.live import LiveModel
from digits.requests import media_type
from digits.sizes import mebibytes

# As API Gateway has them: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-create-api-as-simple-proxy.html
Event = dict[str, Any]
Answer = dict[str, Any]

BUNDLED = Path(__file__).parent / "model"

logger = Logger()
metrics = Metrics()
live_model = LiveModel(
    first_look.store,
    BUNDLED,
    first_look.settings.release_ttl,
    logger,
    first_look.served,
)


def handler(event: Event, _: object) -> Answer:
    """Entry point: an API Gateway REST proxy event in, its response out."""
    try:
        return ROUTES.get((event["httpMethod"], event["resource"]), unknown)(event)
    except DigitsError as error:  # Anything else is Lambda's to log and to count, as the alarm that rolls back needs.
        problem = to_answer(error, logger).problem()
        return _answer(json.dumps(problem), PROBLEM_JSON, status=problem["status"])


def predict(event: Event) -> Answer:
    """The digit on a PNG. Each request counts once: as a prediction, a rejection or an error of the caller's."""
    try:
        answer = _predict(_png(event), any_answer=_accepts_any(event))
    except DigitsError as error:
        _count("Rejections" if isinstance(error, NotADigitError) else "InvalidRequests")
        raise
    _count("Predictions")
    return answer


def _count(outcome: str) -> None:
    metrics.add_metric(outcome, MetricUnit.Count, 1)
    metrics.flush_metrics()


def _predict(png: bytes, *, any_answer: bool) -> Answer:
    started = perf_counter()
    digit, doubt = _read(png)
    decoded = perf_counter()
    classifier = live_model.current()
    answer = classifier.classify(digit)
    inferred = perf_counter()
    if answer.score < classifier.threshold:
        doubt = "Expected an image of one digit. This one resembles none enough. For the best guess, add ?accept=any."
    if doubt and not any_answer:
        raise NotADigitError(doubt, score=answer.score, threshold=classifier.threshold)
    body = {
        "prediction": answer.digit,
        "confidence": answer.confidence,
        "probabilities": answer.probabilities,
        "score": answer.score,
        "accepted": not doubt,
        "model_version": classifier.manifest.version,
    }
    timing = f"decode;dur={(decoded - started) * 1e3:.3f}, infer;dur={(inferred - decoded) * 1e3:.3f}"
    return _answer(json.dumps(body), headers={"Server-Timing": timing})


def _read(png: bytes) -> tuple[Pixels, str]:
    """What is most like a digit, and why it should not be taken for one, if so."""
    try:
        return read_digit(png), ""
    except NotADigitError as error:
        if error.guess is None:
            raise
        return error.guess, error.detail


def health(_: Event) -> Answer:
    """Whether the service answers, and with what; `degraded` when the live release could not be loaded."""
    version = live_model.current().manifest.version
    state = {
        "status": "degraded" if live_model.problem else "ok",
        "reason": live_model.problem,
        "model_version": version,
        "release": live_model.release,
        "checked": live_model.checked.isoformat(timespec="seconds")
        if live_model.checked
        else None,
    }
    return _answer(json.dumps(state))


def show_page(_: Event) -> Answer:
    """The page."""
    text, policy = page.read()
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}
    return _answer(text, "text/html; charset=utf-8", headers=headers)


def unknown(event: Event) -> Answer:
    """What API Gateway would have stopped."""
    raise UnknownError(
        f"There is no route {event['httpMethod']} {event['path']}. See GET /docs."
    )


ROUTES = {
    ("POST", "/predict"): predict,
    ("GET", "/health"): health,
    ("GET", "/"): show_page,
}


def _answer(
    body: str,
    media_type: str = "application/json",
    *,
    status: int = HTTPStatus.OK.value,
    headers: dict[str, str] | None = None,
) -> Answer:
    return {
        "statusCode": status,
        "headers": {"Content-Type": media_type, **(headers or {})},
        "body": body,
    }


def _accepts_any(event: Event) -> bool:
    accept = (event["queryStringParameters"] or {}).get("accept")
    if accept not in {None, "any"}:
        raise InvalidParameterError(
            f"Expected accept to be any, or not to be given. Received {accept!r}."
        )
    return accept is not None


def _png(event: Event) -> bytes:
    """The request's body."""
    received = media_type(event["headers"])
    if received != "image/png":
        raise UnsupportedMediaTypeError(
            f"Expected Content-Type: image/png. Received {received or 'none'!r}."
        )
    body = event["body"] or ""
    if not body:
        raise InvalidImageError(
            "Expected a PNG as the request's body. Received nothing."
        )
    if not event["isBase64Encoded"]:
        raise InvalidImageError("Expected a PNG as the request's body. Received text.")
    # Base64 takes four characters for three bytes.
    if len(body) * 3 // 4 > MAX_BYTES + 2:
        size, limit = mebibytes(len(body) * 3 // 4), mebibytes(MAX_BYTES)
        raise ImageTooLargeError(
            f"The PNG has {size}, and the limit is {limit}. Send a smaller one."
        )
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise InvalidImageError(f"The body is not base64: {error}.") from error
