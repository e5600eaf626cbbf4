"""A client that sends API Gateway's events to handlers, in this process or a killed one."""

import base64
import io
import json
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from digits.models.live import load_folder
from tests.conftest import ROOT, load_app, sample_event
from tests.soak.world import Worker, World

# API Gateway waits no longer.
GATEWAY_SECONDS = 29.0
# A prediction waits for no store, but the machine may be busy.
PREDICT_SECONDS = 5.0
Event = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """The API's answer; status 0 if the function was killed."""

    status: int
    body: dict[str, Any]


class Violation(AssertionError):  # noqa: N818  The service breaks a rule, not the soak.
    """An invariant does not hold."""


class Client:
    """Calls the functions train and predict, which start anew with the client."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.train: ModuleType = load_app("train")
        self.predict: ModuleType = load_app("predict")
        self.bundled_version: str = load_folder(self.predict.BUNDLED).manifest.version

    def call(
        self,
        method: str,
        resource: str,
        body: dict[str, Any] | None = None,
        *,
        headers: dict[str, str] | None = None,
        kill_after: float | None = None,
        **parameters: str,
    ) -> Answer:
        """A request to the control plane.

        Args:
            method: GET, POST or DELETE.
            resource: the route, such as `/train/{job_id}`.
            body: JSON.
            headers: of the request.
            kill_after: seconds after which the function, in a process of its own, is killed.
            parameters: of the path and of the query.

        Raises:
            Violation: the answer is an error that no client should get, or comes too late.
        """
        event = _event(method, resource, body, headers or {}, parameters)
        request = f"{method} {event['path']}"
        started = time.monotonic()
        answer = self._invoke(event, kill_after)
        _check_time(request, started, GATEWAY_SECONDS)
        return _answer(answer, request)

    def expect(self, method: str, resource: str, *statuses: int, **more: Any) -> Answer:
        """A request without faults, which must be answered with one of these statuses.

        Raises:
            Violation: the answer has another status.
        """
        answer = self.call(method, resource, **more)
        if answer.status not in statuses:
            request = f"{method} {resource} {more}"
            raise Violation(f"{request} is answered with {answer}, without a fault.")
        return answer

    def notify(self, event: Event) -> None:
        """An event from EventBridge, which repeats the event later if the function fails."""
        _handle(self.train, event)

    def read_digit(self, digit: int) -> dict[str, Any]:
        """A prediction, which no fault may prevent or delay.

        Raises:
            Violation: the prediction fails, or takes too long.
        """
        png = (ROOT / "example" / f"{digit}.png").read_bytes()
        event = sample_event("predict")
        event["body"] = base64.b64encode(png).decode()
        event["queryStringParameters"] = {"accept": "any"}
        started = time.monotonic()
        answer = _answer(_handle(self.predict, event), "POST /predict")
        _check_time("POST /predict", started, PREDICT_SECONDS)
        if answer.status != 200:
            raise Violation(f"POST /predict answered {answer}.")
        return answer.body

    def _invoke(self, event: Event, kill_after: float | None) -> Any:
        if kill_after is None:
            return _handle(self.train, event)
        worker = self._world.start(
            "train",
            "-m",
            "tests.soak.invoke",
            "train",
            given=json.dumps(event),
            seconds=kill_after,
        )
        if worker.wait(GATEWAY_SECONDS + kill_after) == 0:
            return answer_of(worker)
        return {"statusCode": 0, "body": ""}


def answer_of(worker: Worker) -> Any:
    """The answer of a function's process."""
    return json.loads(worker.log.read_text().strip().splitlines()[-1])


def _handle(function: ModuleType, event: Event) -> Any:
    # The function prints its metrics.
    with redirect_stdout(io.StringIO()):
        return function.handler(event, None)


def _event(
    method: str,
    resource: str,
    body: dict[str, Any] | None,
    headers: dict[str, str],
    parameters: dict[str, str],
) -> Event:
    in_path: dict[str, str] = {}
    query: dict[str, str] = {}
    for name, value in parameters.items():
        target = in_path if f"{{{name}}}" in resource else query
        target[name] = value
    path = resource.format(**in_path)
    multi_value_query = {name: [value] for name, value in query.items()}
    headers = {"Content-Type": "application/json", "Host": "127.0.0.1", **headers}
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": multi_value_query or None,
        "pathParameters": in_path or None,
        "stageVariables": None,
        "requestContext": {
            "httpMethod": method,
            "path": path,
            "resourcePath": resource,
            "stage": "local",
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def _answer(event: dict[str, Any], request: str) -> Answer:
    answer = Answer(event["statusCode"], json.loads(event["body"] or "{}"))
    # 503 is right while the store or Batch does not answer.
    if answer.status >= 500 and answer.status != 503:
        raise Violation(f"{request} answered {answer}.")
    return answer


def _check_time(request: str, started: float, limit: float) -> None:
    seconds = time.monotonic() - started
    if seconds > limit:
        raise Violation(f"{request} took {seconds:.1f} s; the limit is {limit:.0f} s.")
