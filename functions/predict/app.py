"""The data plane: `POST /predict`, `GET /health` and the page."""

import base64
import binascii
import hashlib
import json
from http import HTTPStatus
from pathlib import Path
from time import perf_counter
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from digits import problems
from digits.errors import (
    DigitsError,
    ImageTooLargeError,
    InvalidImageError,
    InvalidParameterError,
    NotADigitError,
    UnsupportedMediaTypeError,
)
from digits.images import read_digit
from digits.live_model import LiveModel
from digits.png import MAX_BYTES, Pixels
from digits.settings import Settings
from digits.store import Store

BUNDLED = Path(__file__).parent / "model"
PAGE = Path(__file__).parents[2] / "web" / "index.html"

logger = Logger()
metrics = Metrics()
app = APIGatewayRestResolver()
problems.install(app, logger)

settings = Settings.from_environment()
live_model = LiveModel(Store(settings.store), BUNDLED, settings.release_ttl, logger)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point: an API Gateway REST proxy event in, its response out."""
    return app.resolve(event, context)


@app.post("/predict")
def predict() -> Response[str]:
    """The digit on a PNG. Each request counts once: as a prediction, a rejection or an error of the caller's."""
    outcome = "Predictions"
    try:
        return _predict(_png(app.current_event), any_answer=_accepts_any(app.current_event))
    except NotADigitError:
        outcome = "Rejections"
        raise
    except DigitsError:
        outcome = "InvalidRequests"
        raise
    finally:
        metrics.add_metric(outcome, MetricUnit.Count, 1)
        metrics.flush_metrics()


def _predict(png: bytes, *, any_answer: bool) -> Response[str]:
    started = perf_counter()
    digit, doubt = _read(png)
    decoded = perf_counter()
    classifier = live_model.current()
    answer = classifier.classify(digit)
    inferred = perf_counter()
    best = int(answer.probabilities.argmax())
    if answer.score < classifier.threshold:
        doubt = "Expected an image of one digit. This one resembles none enough. For the best guess, add ?accept=any."
    if doubt and not any_answer:
        raise NotADigitError(doubt, score=answer.score, threshold=classifier.threshold)
    body = {
        "prediction": best,
        "confidence": float(answer.probabilities[best]),
        "probabilities": answer.probabilities.tolist(),
        "score": answer.score,
        "accepted": not doubt,
        "model_version": classifier.manifest.version,
    }
    timing = f"decode;dur={(decoded - started) * 1e3:.3f}, infer;dur={(inferred - decoded) * 1e3:.3f}"
    return Response(HTTPStatus.OK.value, "application/json", json.dumps(body), headers={"Server-Timing": timing})


def _read(png: bytes) -> tuple[Pixels, str]:
    """What is most like a digit, and why it should not be taken for one, if so."""
    try:
        return read_digit(png), ""
    except NotADigitError as error:
        if error.guess is None:
            raise
        return error.guess, error.detail


@app.get("/health")
def health() -> dict[str, Any]:
    """Whether the service answers, and with what; `degraded` when the store could not be read."""
    version = live_model.current().manifest.version
    return {
        "status": "degraded" if live_model.problem else "ok",
        "reason": live_model.problem,
        "model_version": version,
        "release": live_model.release,
    }


@app.get("/")
def page() -> Response[str]:
    """The page: draw a digit, see the answer."""
    text = PAGE.read_text("utf-8")
    headers = {"Content-Security-Policy": _page_policy(text), "X-Content-Type-Options": "nosniff"}
    return Response(HTTPStatus.OK.value, "text/html; charset=utf-8", text, headers=headers)


def _page_policy(text: str) -> str:
    """The page is one file: its own script and style may run, it may talk to this service, and that is all."""
    script, style = (_source_hash(text, tag) for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _source_hash(text: str, tag: str) -> str:
    inner = text.partition(f"<{tag}")[2].partition(">")[2].partition(f"</{tag}>")[0]
    return "sha256-" + base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()


def _accepts_any(event: Any) -> bool:
    accept = event.query_string_parameters.get("accept")
    if accept not in {None, "any"}:
        raise InvalidParameterError(f"Expected accept to be any, or not to be given. Received {accept!r}.")
    return accept is not None


def _png(event: Any) -> bytes:
    """The request's body.

    Powertools' own `decoded_body` decodes to text, which a PNG is not.
    """
    media_type = event.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "image/png":
        raise UnsupportedMediaTypeError(f"Expected Content-Type: image/png. Received {media_type or 'none'!r}.")
    body = event.body or ""
    if not body:
        raise InvalidImageError("Expected a PNG as the request's body. Received nothing.")
    if not event.is_base64_encoded:
        raise InvalidImageError("Expected a PNG as the request's body. Received text.")
    # Base64 takes four characters for three bytes.
    if len(body) * 3 // 4 > MAX_BYTES + 2:
        raise ImageTooLargeError(f"Expected at most {MAX_BYTES} bytes. Received about {len(body) * 3 // 4}.")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise InvalidImageError(f"The body is not base64: {error}.") from error
