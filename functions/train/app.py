"""The control plane: trainings, models, releases, datasets, and the API's own description."""

import json
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path as FilePath
from typing import Annotated, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestValidationError,
)
from aws_lambda_powertools.event_handler.openapi.models import Server
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict, Field

from batch_client import Batch
from digits import datasets, documents, parallel, problems
from digits.datasets import listing, uploads
from digits.errors import (
    DamagedObjectError,
    DigitsError,
    InvalidParameterError,
    InvalidRequestError,
    UnknownError,
    UnsupportedMediaTypeError,
)
from digits.models import manifests, releases
from digits.models.manifests import BUNDLED
from digits.parameters import Parameters
from digits.requests import media_type, wait_seconds
from digits.settings import Settings
from digits.store import Store
from openapi import DocumentedResolver
from trainings import CANCELLED, Trainings

UPLOAD_EXPIRES = timedelta(minutes=15)
JSON = "application/json"
# Who sends a key where the service is on one machine sends it to the upload's URL, too.
# S3's URLs are signed instead.
KEY_HEADERS = {"authorization", "x-api-key"}
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

bundled = manifests.parse_manifest(
    (FilePath(__file__).parent / "bundled.json").read_bytes()
)

Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
After = Annotated[
    str | None,
    Query(
        pattern=r"^[A-Za-z0-9_-]{1,100}$",
        description="Of the link `next` of the page before",
    ),
]


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
    try:
        _check_body(event)
    except DigitsError as error:
        return problems.to_proxy_response(error)
    return app.resolve(event, context)


def _take_note(detail: dict[str, Any]) -> None:
    result = trainings.on_state_change(detail)
    if result and result.status == "FAILED" and not result.reason.startswith(CANCELLED):
        metrics.add_metric("FailedTrainings", MetricUnit.Count, 1)
        metrics.flush_metrics()


def _check_body(event: dict[str, Any]) -> None:
    """See that a body is a JSON object, before pydantic and Powertools make what they can of it.

    Raises:
        InvalidParameterError: it is other JSON.
        InvalidRequestError: it is no JSON that can be read.
        UnsupportedMediaTypeError: it says that it is something else.
    """
    body = event["body"]
    if not body:
        return
    received = media_type(event["headers"], JSON)
    if (
        received != JSON or event["isBase64Encoded"]
    ):  # curl's -d alone claims to send a form.
        raise UnsupportedMediaTypeError(
            f"The body is {received!r}. Send JSON, with Content-Type: {JSON}."
        )
    try:
        document = json.loads(body)
    except ValueError as error:
        raise InvalidRequestError(
            f"The body is not JSON that can be read: {error}."
        ) from error
    except RecursionError as error:
        raise InvalidRequestError(
            "The body nests too deeply. Send a flat JSON object."
        ) from error
    if not isinstance(document, dict):
        raise InvalidParameterError(
            "The body is JSON, but not an object. Send an object, such as {}."
        )


@app.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator]
def answer_invalid_request(error: RequestValidationError) -> Response[str]:
    """What is wrong with the request, field by field."""
    errors = [
        {"field": ".".join(map(str, e["loc"])), "message": e["msg"]}
        for e in error.errors()
    ]
    text = "; ".join(f"{e['field']}: {e['message']}" for e in errors)
    if any(e["loc"][0] == "path" for e in error.errors()):
        return problems.to_response(
            UnknownError(
                "No such thing: its name is not one that can exist.", errors=errors
            )
        )
    return problems.to_response(InvalidParameterError(f"{text}.", errors=errors))


@app.post("/train", status_code=HTTPStatus.ACCEPTED, summary="Start a training")
def start_training(
    parameters: Annotated[Parameters, Body()] = DEFAULTS,
    idempotency_key: Annotated[
        str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)
    ] = None,
    prefer: Annotated[str | None, Header(alias="Prefer", max_length=100)] = None,
) -> Response[dict[str, Any]]:
    """Train a model, release it, and answer at once; with `Prefer: wait=N` (seconds) when it is done, if in time."""
    wait = min(wait_seconds(prefer), settings.max_wait)
    job_id = trainings.submit(parameters, idempotency_key)
    metrics.add_metric("TrainingRequests", MetricUnit.Count, 1)
    metrics.flush_metrics()
    state = trainings.wait(job_id, wait) if wait else trainings.state(job_id)
    over = wait and state["status"] in ("SUCCEEDED", "FAILED")
    headers = {
        "Location": f"{_path()}/{job_id}",
        **({"Preference-Applied": prefer} if wait and prefer else {}),
    }
    return _json(state, HTTPStatus.OK if over else HTTPStatus.ACCEPTED, headers)


@app.get("/train", summary="List the trainings")
def list_trainings(after: After = None) -> Response[dict[str, Any]]:
    """Newest first, a page at a time; `next` is where the next one is.

    Of a training with a record that cannot be read there is `problem` instead.
    """
    listed, following = trainings.states(after)
    return _json({"jobs": listed, "next": _next(following)})


@app.get("/train/<job_id>", summary="Follow a training")
def show_training(job_id: Name) -> Response[dict[str, Any]]:
    """Status (AWS Batch's word), progress, accuracy and model version."""
    return _json(trainings.state(job_id))


@app.delete("/train/<job_id>", summary="Cancel a training")
def cancel_training(job_id: Name) -> Response[dict[str, Any]]:
    """Its status becomes FAILED, and its model is not released."""
    return _json(trainings.cancel(job_id))


@app.get("/models", summary="List the models")
def list_models(after: After = None) -> Response[dict[str, Any]]:
    """Newest first, a page at a time, each with where it came from and its metrics; `next` is where the next page is.

    `live` is the version that answers now. The model that comes with the service is
    `bundled`. Of a model with a manifest that cannot be read, `problem` says why.
    """
    live, page = parallel.both(_live, lambda: manifests.list_versions(store, after))
    listed = [it for it in parallel.each(_describe, page.ids) if it]
    if page.next is None:
        listed.append(_bundled())
    return _json({**live, "models": listed, "next": _next(page.next)})


@app.get("/models/<version>", summary="Show a model")
def show_model(version: Name) -> Response[dict[str, Any]]:
    """A model's manifest: dataset, parameters, metrics, files and their checksums."""
    return _json(
        _bundled()
        if version == BUNDLED
        else documents.to_json(manifests.load_manifest(store, version))
    )


@app.get("/models/<version>/report", summary="Read the report on a model")
def show_report(version: Name) -> Response[str]:
    """An HTML page: how good the model is, and where it fails."""
    headers = {
        "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    }
    report = manifests.load_report(store, version)
    return Response(
        HTTPStatus.OK.value,
        "text/html; charset=utf-8",
        report.decode(),
        headers=headers,
    )


@app.post(
    "/models/<version>/release",
    status_code=HTTPStatus.CREATED,
    summary="Release a model, or roll back to it",
)
def release_model(
    version: Name, new: Annotated[NewRelease, Body()]
) -> Response[dict[str, Any]]:
    """Make a model the one that answers."""
    return _json(
        documents.to_json(releases.release(store, version, new.reason)),
        HTTPStatus.CREATED,
    )


@app.get("/datasets", summary="List the datasets")
def list_datasets(after: After = None) -> Response[dict[str, Any]]:
    """By name, a page at a time, each with its ten newest versions; `next` is where the next page is.

    `upload` is `converting` while the newest upload becomes a version, and `stalled`
    when that was given up. `problem` says why it was refused.
    """
    page = listing.list_datasets(store, after)
    return _json({"datasets": page.datasets, "next": _next(page.next)})


@app.post("/datasets", summary="Get an upload URL")
def new_dataset(new: Annotated[NewDataset, Body()]) -> Response[dict[str, Any]]:
    """PUT an npz with x_train, y_train, x_test and y_test to the URL, and it becomes a dataset of this name.

    `note`, if it is there, says which header the PUT needs.
    """
    presigned = store.presigned_put(uploads.upload_key(new.name), UPLOAD_EXPIRES)
    answer = {
        "name": new.name,
        "method": "PUT",
        "upload_url": presigned or _own_upload_url(new.name),
        "expires_seconds": int(UPLOAD_EXPIRES.total_seconds()),
    }
    if not presigned and KEY_HEADERS & {
        name.lower() for name in app.current_event.headers
    }:
        answer["note"] = (
            "Send the API key with the upload, too, in the header Authorization or x-api-key."
        )
    return _json(answer)


@app.get("/openapi.json", include_in_schema=False)
def openapi_document() -> Response[str]:
    """The whole API, `/predict` included; Swagger UI shows it at `/docs`."""
    return Response(HTTPStatus.OK.value, JSON, app.get_openapi_json_schema())


def _own_upload_url(name: str) -> str:
    """The URL of an upload to the host that was called, which is one that the client can reach."""
    headers = app.current_event.headers
    # What the client speaks, if a proxy speaks TLS with it: the first of several proxies.
    scheme = headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    return f"{'https' if scheme == 'https' else 'http'}://{headers['Host']}{settings.upload_path}{name}.npz"


def _live() -> dict[str, Any]:
    """The version that answers now, and what is wrong if that cannot be said."""
    try:
        return {"live": releases.live_version(store)}
    except DamagedObjectError as error:
        return {"live": None, "problem": error.detail}


def _describe(version: str) -> dict[str, Any] | None:
    """A model as it is listed; None of one that is not complete yet."""
    try:
        return documents.to_json(manifests.load_manifest(store, version))
    except UnknownError:
        return None
    except DamagedObjectError as error:
        return {"version": version, "problem": error.detail}


def _bundled() -> dict[str, Any]:
    return documents.to_json(bundled) | {
        "version": BUNDLED,
        "model_version": bundled.version,
    }


def _next(after: str | None) -> str | None:
    """The link to the next page."""
    return after and f"{_path()}?after={after}"


def _path() -> str:
    """The request's path as the gateway has it: it begins with the stage, and may end with a slash."""
    return str(app.current_event.request_context.path).rstrip("/")


def _json(
    body: dict[str, Any],
    status: HTTPStatus = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
) -> Response[dict[str, Any]]:
    return Response(status.value, JSON, body, headers=headers)
