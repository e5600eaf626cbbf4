"""The API as a client sees it: API Gateway's events for the handlers, in this process or in one that is killed."""

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

# API Gateway gives up after this.
GATEWAY_SECONDS = 29.0
# Of a prediction that waits for nothing, on a machine that is busy.
PREDICT_SECONDS = 5.0
Event = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the API answered; status 0 where the function was killed."""

    status: int
    body: dict[str, Any]


class Violation(AssertionError):  # noqa: N818  It is no error of the soak's.
    """Something that must hold does not."""


class Client:
    """Calls the functions train and predict, freshly started."""

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
            kill_after: runs the function in a process that is killed after this number of seconds.
            parameters: of the path and of the query, by name.

        Raises:
            Violation: the answer is not one that a client should ever get, or comes too late.
        """
        event = _event(method, resource, body, headers or {}, parameters)
        begun = time.monotonic()
        answer = (
            _handle(self.train, event)
            if kill_after is None
            else self._invoke(event, kill_after)
        )
        _check_time(f"{method} {event['path']}", begun, GATEWAY_SECONDS)
        return _answer(answer, f"{method} {event['path']}")

    def expect(self, method: str, resource: str, *statuses: int, **more: Any) -> Answer:
        """A request that must be answered with one of these statuses, since there are no faults.

        Raises:
            Violation: it is answered with another one.
        """
        answer = self.call(method, resource, **more)
        if answer.status not in statuses:
            raise Violation(
                f"{method} {resource} {more} is answered without a fault with {answer}."
            )
        return answer

    def notify(self, event: Event) -> None:
        """News from EventBridge. It tries again later if the function fails."""
        _handle(self.train, event)

    def read_digit(self, digit: int) -> dict[str, Any]:
        """A prediction, which nothing may prevent.

        Raises:
            Violation: it was prevented, or kept waiting.
        """
        event = sample_event("predict")
        event["body"] = base64.b64encode(
            (ROOT / "example" / f"{digit}.png").read_bytes()
        ).decode()
        event["queryStringParameters"] = {"accept": "any"}
        begun = time.monotonic()
        answer = _answer(_handle(self.predict, event), "POST /predict")
        _check_time("POST /predict", begun, PREDICT_SECONDS)
        if answer.status != 200:
            raise Violation(f"POST /predict answered {answer}.")
        return answer.body

    def _invoke(self, event: Event, seconds: float) -> dict[str, Any]:
        worker = self._world.start(
            "train",
            "-m",
            "tests.soak.invoke",
            "train",
            given=json.dumps(event),
            seconds=seconds,
        )
        if worker.wait(GATEWAY_SECONDS + seconds) == 0:
            answer: dict[str, Any] = answer_of(worker)
            return answer
        return {"statusCode": 0, "body": ""}


def answer_of(worker: Worker) -> Any:
    """What a function's process answered."""
    return json.loads(worker.log.read_text().strip().splitlines()[-1])


def _handle(function: ModuleType, event: Event) -> Any:
    # Where metrics go.
    with redirect_stdout(io.StringIO()):
        return function.handler(event, None)


def _event(
    method: str,
    resource: str,
    body: dict[str, Any] | None,
    headers: dict[str, str],
    parameters: dict[str, str],
) -> Event:
    in_path = {
        name: value for name, value in parameters.items() if f"{{{name}}}" in resource
    }
    query = {name: value for name, value in parameters.items() if name not in in_path}
    path = resource.format(**in_path)
    headers = {"Content-Type": "application/json", "Host": "127.0.0.1", **headers}
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": {
            name: [value] for name, value in query.items()
        }
        or None,
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


def _answer(answer: dict[str, Any], what: str) -> Answer:
    found = Answer(answer["statusCode"], json.loads(answer["body"] or "{}"))
    # 503 says that the store or Batch does not answer.
    if found.status >= 500 and found.status != 503:
        raise Violation(f"{what} answered {found}.")
    return found


def _check_time(what: str, begun: float, limit: float) -> None:
    seconds = time.monotonic() - begun
    if seconds > limit:
        raise Violation(f"{what} took {seconds:.1f} s, and the limit is {limit:.0f} s.")
