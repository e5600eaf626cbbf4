"""The control plane: trainings, models, releases, datasets, and the API's own description."""

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

from batch_client import BatchClient
from digits import datasets, documents, parallel, problems
from digits.datasets import listing, uploads
from digits.errors import (
    DamagedObjectError,
    DigitsError,
    InvalidParameterError,
    UnknownError,
)
from digits.models import catalogue, manifests, releases
from digits.parameters import Parameters
from digits.requests import wait_seconds
from digits.settings import Settings
from digits.store import Store
from openapi import DocumentedResolver
from request_body import JSON, check_body
from trainings import CANCELLED, Trainings

UPLOAD_EXPIRES = timedelta(minutes=15)
# Where the service runs on one machine, an upload needs the API key that the client
# sends in one of these headers. S3's upload URLs are signed instead.
KEY_HEADERS = {"authorization", "x-api-key"}
# The report is a page without scripts, whose figures are data: URLs.
REPORT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
DEFAULTS = Parameters()

logger = Logger()
metrics = Metrics()
app = DocumentedResolver(enable_validation=True)
app.configure_openapi(
    title="Digits",
    version="1",
    description="Reads handwritten digits, and trains itself to.",
    # Relative to this document, so that the stage is part of the URL.
    servers=[Server(url=".")],
)
app.enable_swagger(path="/docs")
problems.install_handlers(app, logger)

settings = Settings.from_environment()
store = Store(settings.store)
trainings = Trainings(store, BatchClient(settings.job_queue, settings.job_definition))
bundled = manifests.parse_manifest(
    FilePath(__file__).with_name("bundled.json").read_bytes()
)

JsonResponse = Response[dict[str, Any]]
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
After = Annotated[
    str | None,
    Query(
        pattern=r"^[A-Za-z0-9_-]{1,100}$",
        description="From the link `next` of the page before",
    ),
]
IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)
]
Prefer = Annotated[str | None, Header(alias="Prefer", max_length=100)]


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
        _record_state_change(event["detail"])
        return None
    try:
        check_body(event)
    except DigitsError as error:
        return problems.to_proxy_response(error)
    return app.resolve(event, context)


def _record_state_change(detail: dict[str, Any]) -> None:
    result = trainings.on_state_change(detail)
    if result is None or result.status != "FAILED":
        return
    if not result.reason.startswith(CANCELLED):
        _count("FailedTrainings")


def _count(metric: str) -> None:
    metrics.add_metric(metric, MetricUnit.Count, 1)
    metrics.flush_metrics()


@app.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator]
def answer_invalid_request(error: RequestValidationError) -> Response[str]:
    """Say what is wrong with the request, field by field."""
    errors = []
    for each in error.errors():
        field = ".".join(map(str, each["loc"]))
        errors.append({"field": field, "message": each["msg"]})
    if any(each["loc"][0] == "path" for each in error.errors()):
        return problems.to_response(
            UnknownError(
                "The name in the path is not valid."
                " Names have 1 to 64 letters, digits, hyphens and underscores.",
                errors=errors,
            )
        )
    detail = "; ".join(f"{each['field']}: {each['message']}" for each in errors)
    return problems.to_response(InvalidParameterError(f"{detail}.", errors=errors))


@app.post("/train", status_code=HTTPStatus.ACCEPTED, summary="Start a training")
def start_training(
    parameters: Annotated[Parameters, Body()] = DEFAULTS,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> JsonResponse:
    """Train a model, and release the model if it is good enough.

    The answer comes at once. With `Prefer: wait=N`, the answer comes when the training
    is over, or after N seconds.
    """
    wait = min(wait_seconds(prefer), settings.max_wait)
    job_id = trainings.submit(parameters, idempotency_key)
    _count("TrainingRequests")
    headers = {"Location": f"{_path()}/{job_id}"}
    if not wait or prefer is None:
        state = trainings.state(job_id)
        return _json(state.to_json(), HTTPStatus.ACCEPTED, headers)
    state = trainings.wait(job_id, wait)
    headers["Preference-Applied"] = prefer
    status = HTTPStatus.OK if state.is_over else HTTPStatus.ACCEPTED
    return _json(state.to_json(), status, headers)


@app.get("/train", summary="List the trainings")
def list_trainings(after: After = None) -> JsonResponse:
    """Newest first. `next` links to the next page.

    A training whose record cannot be read has a `problem` instead of a state.
    """
    page = trainings.list_states(after)
    states = [training.to_json() for training in page.trainings]
    return _json({"jobs": states, "next": _next(page.next)})


@app.get("/train/<job_id>", summary="Follow a training")
def show_training(job_id: Name) -> JsonResponse:
    """Status (AWS Batch's word), progress, accuracy and model version."""
    return _json(trainings.state(job_id).to_json())


@app.delete("/train/<job_id>", summary="Cancel a training")
def cancel_training(job_id: Name) -> JsonResponse:
    """The training's status becomes FAILED, and its model is not released."""
    return _json(trainings.cancel(job_id).to_json())


@app.get("/models", summary="List the models")
def list_models(after: After = None) -> JsonResponse:
    """Newest first, each with its origin and its metrics. `next` links to the next page.

    `live` is the version that answers now. `bundled` is the model that comes with the
    service. `problem` says why a model's manifest, or the live version, cannot be read.
    """

    def list_page() -> catalogue.CataloguePage:
        return catalogue.list_models(store, bundled, after)

    live, page = parallel.both(_find_live, list_page)
    models = [entry.to_json() for entry in page.entries]
    return _json({**live, "models": models, "next": _next(page.next)})


@app.get("/models/<version>", summary="Show a model")
def show_model(version: Name) -> JsonResponse:
    """A model's manifest: dataset, parameters, metrics, files and their checksums."""
    return _json(catalogue.find_model(store, bundled, version).to_json())


@app.get("/models/<version>/report", summary="Read the report on a model")
def show_report(version: Name) -> Response[str]:
    """An HTML page: how good the model is, and where it fails."""
    report = manifests.load_report(store, version)
    return Response(
        HTTPStatus.OK.value,
        "text/html; charset=utf-8",
        report.decode(),
        headers={"Content-Security-Policy": REPORT_POLICY},
    )


@app.post(
    "/models/<version>/release",
    status_code=HTTPStatus.CREATED,
    summary="Release a model, or roll back to a model",
)
def release_model(version: Name, new: Annotated[NewRelease, Body()]) -> JsonResponse:
    """Make a model the live model, which answers."""
    release = releases.release(store, version, new.reason)
    return _json(documents.to_json(release), HTTPStatus.CREATED)


@app.get("/datasets", summary="List the datasets")
def list_datasets(after: After = None) -> JsonResponse:
    """By name, each with its ten newest versions. `next` links to the next page.

    `upload` is `converting` while the newest upload becomes a version, and `stalled`
    when the conversion was given up. `problem` says why an upload was refused.
    """
    page = listing.list_datasets(store, after)
    return _json({"datasets": page.datasets, "next": _next(page.next)})


@app.post("/datasets", summary="Get an upload URL")
def new_dataset(new: Annotated[NewDataset, Body()]) -> JsonResponse:
    """PUT an npz with x_train, y_train, x_test and y_test to the URL to make a dataset.

    `note`, if present, names a header that the PUT needs.
    """
    answer = {
        "name": new.name,
        "method": "PUT",
        "expires_seconds": int(UPLOAD_EXPIRES.total_seconds()),
    }
    presigned_url = store.presigned_put(uploads.upload_key(new.name), UPLOAD_EXPIRES)
    if presigned_url:
        return _json(answer | {"upload_url": presigned_url})
    answer["upload_url"] = _own_upload_url(new.name)
    if _has_key():
        answer["note"] = (
            "Send the API key with the upload, in the header Authorization or x-api-key."
        )
    return _json(answer)


@app.get("/openapi.json", include_in_schema=False)
def openapi_document() -> Response[str]:
    """The whole API, `/predict` included. `/docs` shows the document in Swagger UI."""
    return Response(HTTPStatus.OK.value, JSON, app.get_openapi_json_schema())


def _has_key() -> bool:
    """Whether the request came with an API key."""
    names = {name.lower() for name in app.current_event.headers}
    return not names.isdisjoint(KEY_HEADERS)


def _own_upload_url(name: str) -> str:
    """The URL of an upload to the host that was called, which the client can reach."""
    headers = app.current_event.headers
    # The scheme that the client uses, if a proxy terminates TLS. With several proxies,
    # the first value is the client's.
    forwarded, _, _ = headers.get("X-Forwarded-Proto", "").partition(",")
    scheme = "https" if forwarded.strip().lower() == "https" else "http"
    return f"{scheme}://{headers['Host']}{settings.upload_path}{name}.npz"


def _find_live() -> dict[str, Any]:
    """The version that answers now, or why nobody can say."""
    try:
        return {"live": releases.live_version(store)}
    except DamagedObjectError as error:
        return {"live": None, "problem": error.detail}


def _next(after: str | None) -> str | None:
    """The link to the next page."""
    return f"{_path()}?after={after}" if after else None


def _path() -> str:
    """The request's path. It begins with the stage."""
    # A path that ends with a slash reaches the same route.
    return str(app.current_event.request_context.path).rstrip("/")


def _json(
    body: dict[str, Any],
    status: HTTPStatus = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
) -> JsonResponse:
    return Response(status.value, JSON, body, headers=headers)
