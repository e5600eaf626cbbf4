"""The control plane: trainings, models, releases, datasets, and the API's own description."""

import json
import re
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestUnsupportedContentType, RequestValidationError
from aws_lambda_powertools.event_handler.openapi.models import Server
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict, Field

from batch import Batch
from digits import datasets, models, problems, releases
from digits.errors import (
    DamagedObjectError,
    InvalidParameterError,
    InvalidRequestError,
    UnknownError,
    UnsupportedMediaTypeError,
    to_answer,
)
from digits.jobs import Parameters
from digits.settings import Settings
from digits.store import Store
from openapi import DocumentedResolver
from trainings import CANCELLED, Trainings

UPLOAD_EXPIRES = timedelta(minutes=15)
MODELS_LISTED = 50
JSON = "application/json"
DEFAULTS = Parameters()

logger = Logger()
metrics = Metrics()
app = DocumentedResolver(enable_validation=True)
app.configure_openapi(
    title="Digits",
    version="1",
    description="Reads handwritten digits, and trains itself to.",
    servers=[Server(url=".")],  # beside this document, whatever the stage
)
app.enable_swagger(path="/docs")
problems.install(app, logger)

settings = Settings.from_environment()
store = Store(settings.store)
trainings = Trainings(store, Batch(settings.job_queue, settings.job_definition))

Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class NewRelease(BaseModel):
    """Why a model goes live."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500)


class NewDataset(BaseModel):
    """The name under which an upload becomes a dataset."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=datasets.NAME_PATTERN)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | None:
    """Entry point: an API Gateway REST proxy event, or EventBridge's "Batch Job State Change"."""
    if event.get("source") == "aws.batch":
        _take_note(event["detail"])
        return None
    return app.resolve(event, context)


def _take_note(detail: dict[str, Any]) -> None:
    result = trainings.on_state_change(detail)
    if result and result.status == "FAILED" and not result.reason.startswith(CANCELLED):
        metrics.add_metric("FailedTrainings", MetricUnit.Count, 1)
        metrics.flush_metrics()


@app.exception_handler([RequestValidationError, RequestUnsupportedContentType])  # type: ignore[untyped-decorator]
def answer_invalid_request(error: RequestValidationError | RequestUnsupportedContentType) -> Response[str]:
    """What is wrong with the request, field by field."""
    media_type = app.current_event.headers.get("Content-Type", JSON).partition(";")[0].strip().lower()
    if app.current_event.body and media_type != JSON:  # curl's -d alone claims to send a form.
        refusal = UnsupportedMediaTypeError(f"Expected Content-Type: {JSON}. Received {media_type!r}.")
        return problems.to_response(refusal)
    errors = [{"field": ".".join(map(str, e["loc"])), "message": e["msg"]} for e in error.errors()]
    text = "; ".join(f"{e['field']}: {e['message']}" for e in errors)
    if any(e["type"] == "json_invalid" for e in error.errors()):
        return problems.to_response(InvalidRequestError(f"The body is not JSON. {text}."))
    if any(e["loc"][0] == "path" for e in error.errors()):
        return problems.to_response(UnknownError("No such thing: its name is not one that can exist.", errors=errors))
    return problems.to_response(InvalidParameterError(f"{text}.", errors=errors))


@app.exception_handler(RecursionError)  # type: ignore[untyped-decorator]
def answer_nested_request(_: RecursionError) -> Response[str]:
    """JSON that nests too deeply; nothing of ours recurses."""
    return problems.to_response(InvalidRequestError("The body nests too deeply. Send a flat JSON object."))


@app.exception_handler(ValueError)  # type: ignore[untyped-decorator]
def answer_value_error(error: ValueError) -> Response[str]:
    """JSON that Python will not read, though it is JSON: with an integer of thousands of digits."""
    try:
        json.loads(app.current_event.body or "null")
    except ValueError as unreadable:
        return problems.to_response(InvalidRequestError(f"The body cannot be read: {unreadable}."))
    return problems.to_response(to_answer(error, logger))


@app.post("/train", status_code=HTTPStatus.ACCEPTED, summary="Start a training")
def start_training(
    parameters: Annotated[Parameters, Body()] = DEFAULTS,
    idempotency_key: Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)] = None,
    prefer: Annotated[str | None, Header(alias="Prefer", max_length=100)] = None,
) -> Response[dict[str, Any]]:
    """Train a model, release it, and answer at once; with `Prefer: wait=N` (seconds) when it is done, if in time."""
    wait = _wait_seconds(prefer)
    job_id = trainings.submit(parameters, idempotency_key)
    metrics.add_metric("TrainingRequests", MetricUnit.Count, 1)
    metrics.flush_metrics()
    state = trainings.wait(job_id, wait) if wait else trainings.state(job_id)
    over = wait and state["status"] in ("SUCCEEDED", "FAILED")
    # The gateway's own path of this request begins with the stage.
    path = app.current_event.request_context.path
    headers = {"Location": f"{path}/{job_id}", **({"Preference-Applied": prefer} if wait and prefer else {})}
    return _json(state, HTTPStatus.OK if over else HTTPStatus.ACCEPTED, headers)


@app.get("/train", summary="List the newest trainings")
def list_trainings() -> Response[dict[str, Any]]:
    """Newest first."""
    return _json({"jobs": trainings.states()})


@app.get("/train/<job_id>", summary="Follow a training")
def show_training(job_id: Name) -> Response[dict[str, Any]]:
    """Status (AWS Batch's word), progress, accuracy and model version."""
    return _json(trainings.state(job_id))


@app.delete("/train/<job_id>", summary="Cancel a training")
def cancel_training(job_id: Name) -> Response[dict[str, Any]]:
    """Its status becomes FAILED, and its model is not released."""
    return _json(trainings.cancel(job_id))


@app.get("/models", summary="List the models")
def list_models() -> Response[dict[str, Any]]:
    """Newest first, each with where it came from and its metrics; `live` is the version that answers now.

    Of a model whose manifest cannot be read, `problem` says why.
    """
    live = releases.live(store)
    newest = reversed(models.list_versions(store)[-MODELS_LISTED:])
    return _json({"live": live and live.version, "models": [_describe(version) for version in newest]})


@app.get("/models/<version>", summary="Show a model")
def show_model(version: Name) -> Response[dict[str, Any]]:
    """A model's manifest: dataset, parameters, metrics, files and their checksums."""
    return _json(models.load_manifest(store, version).to_json())


@app.get("/models/<version>/report", summary="Read the report on a model")
def show_report(version: Name) -> Response[str]:
    """An HTML page: how good the model is, and where it fails."""
    headers = {"Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'"}
    report = models.load_report(store, version)
    return Response(HTTPStatus.OK.value, "text/html; charset=utf-8", report.decode(), headers=headers)


@app.post("/models/<version>/release", status_code=HTTPStatus.CREATED, summary="Release a model, or roll back to it")
def release_model(version: Name, new: Annotated[NewRelease, Body()]) -> Response[dict[str, Any]]:
    """Make a model the one that answers."""
    return _json(releases.release(store, version, new.reason).to_json(), HTTPStatus.CREATED)


@app.get("/datasets", summary="List the datasets")
def list_datasets() -> Response[dict[str, Any]]:
    """Each with its versions; `problem` says why the newest upload was refused."""
    return _json({"datasets": datasets.list_datasets(store)})


@app.post("/datasets", summary="Get an upload URL")
def new_dataset(new: Annotated[NewDataset, Body()]) -> Response[dict[str, Any]]:
    """PUT an npz with x_train, y_train, x_test and y_test to the URL, and it becomes a dataset of this name."""
    key = f"raw/{new.name}.npz"
    url = store.presigned_put(key, UPLOAD_EXPIRES) or f"{settings.upload_url}{new.name}.npz"
    expires = int(UPLOAD_EXPIRES.total_seconds())
    return _json({"name": new.name, "method": "PUT", "upload_url": url, "expires_seconds": expires})


@app.get("/openapi.json", include_in_schema=False)
def openapi_document() -> Response[str]:
    """The whole API, `/predict` included; Swagger UI shows it at `/docs`."""
    return Response(HTTPStatus.OK.value, JSON, app.get_openapi_json_schema())


def _describe(version: str) -> dict[str, Any]:
    try:
        return models.load_manifest(store, version).to_json()
    except DamagedObjectError as error:
        return {"version": version, "problem": error.detail}


def _wait_seconds(prefer: str | None) -> float:
    """The `wait` of a Prefer header (RFC 7240), at most the configured one; 0 without it."""
    match = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\b", prefer or "", re.IGNORECASE)
    return min(float(match[1]), settings.max_wait) if match else 0.0


def _json(
    body: dict[str, Any], status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response[dict[str, Any]]:
    return Response(status.value, JSON, body, headers=headers)
