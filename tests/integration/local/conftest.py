"""A gateway in its own process, with small functions and a small training."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import boto3
import httpx
import pytest

PROJECT = Path(__file__).parents[3]
START_SECONDS = 20
Value = TypeVar("Value")

TEMPLATE = """
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties: {StageName: v1, BinaryMediaTypes: [image/png]}
  Predict:
    Type: AWS::Serverless::Function
    Metadata: {Dockerfile: functions/predict/Dockerfile, DockerContext: .}
    Properties:
      PackageType: Image
      MemorySize: 256
      ImageConfig: {Command: [app.handler]}
      Environment: {Variables: {GREETING: hello, DIGITS_RELEASE_TTL: 30}}
      Events:
        Predict: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /predict, Method: post}}
        Get: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /predict, Method: get}}
  Train:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/train/
      Handler: app.handler
      Events:
        Start: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /train, Method: post}}
        Show: {Type: Api, Properties: {RestApiId: !Ref Api, Path: "/train/{job_id}", Method: get}}
        Newest: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /train/newest, Method: get}}
        Page: {Type: Api, Properties: {RestApiId: !Ref Api, Path: "/pages/{path+}", Method: any}}
  Convert:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: functions/convert/, Handler: app.handler}
"""

# The query of a request names the actions of the function: see `ACTIONS`.
PREDICT = """
import base64, json, os, sys, time
from pathlib import Path

def handler(event, context):
    query = event["queryStringParameters"] or {}
    Path("pid").write_text(str(os.getpid()))
    for action, value in query.items():
        ACTIONS[action](value)
    if "bytes" in query:
        return {"statusCode": 200, "body": event["body"], "isBase64Encoded": True}
    about = {"path": sys.path[0], "pid": os.getpid(), "name": context.function_name,
             "memory": context.memory_limit_in_mb, "left": context.get_remaining_time_in_millis(),
             "environment": dict(os.environ)}
    answer = {"statusCode": 200, "body": json.dumps({"event": event, "about": about})}
    return answer | json.loads(query.get("more", "{}"))

def fail(value):
    raise ValueError(value)

ACTIONS = {
    "sleep": lambda seconds: time.sleep(float(seconds)),
    "exit": lambda status: os._exit(int(status)),
    "fail": fail,
    "bytes": len,
    "more": len,
    "n": len,
}
"""

# A function that appends the events of EventBridge to a file.
RECORDER = """
import json
from pathlib import Path

def handler(event, context):
    if "source" in event:
        with (Path(__file__).parents[2] / "events").open("a") as events:
            events.write(json.dumps(event) + "\\n")
        return None
    matched = {"resource": event["resource"], "parameters": event["pathParameters"]}
    return {"statusCode": 200, "body": json.dumps(matched)}
"""

# The state of a job is in the file of its name in states/. A request that still has the
# header `Prefer` occupies the function, because the gateway must wait instead.
TRAIN = (
    RECORDER
    + """
import time

def start(event):
    if "prefer" in event["headers"]:
        time.sleep(60)
    headers = {"Location": "/train/" + event["headers"]["idempotency-key"]}
    body = json.dumps({"status": "SUBMITTED"})
    return {"statusCode": 202, "headers": headers, "body": body}

def show(event):
    state = Path(__file__).parents[2] / "states" / event["pathParameters"]["job_id"]
    return {"statusCode": 200, "body": state.read_text()} if state.exists() else answer(event, None)

answer = handler
ROUTES = {("POST", "/train"): start, ("GET", "/train/{job_id}"): show}

def handler(event, context):
    route = ROUTES.get((event.get("httpMethod"), event.get("resource")))
    return route(event) if route else answer(event, context)
"""
)

# A training follows the plan of its job:
# - SECONDS: the duration.
# - WAIT: the training lasts until the file `go` exists.
# - EXIT: the exit statuses of the attempts. "lost" kills all processes of the training
#   at once, like a power failure.
# - DEAF: the training ignores SIGTERM.
# - LITTER: the training leaves a temporary file.
TRAINING = """
import json, os, signal, sys, tempfile, time
from pathlib import Path

job_id = os.environ["DIGITS_JOB_ID"]
plan = json.loads(Path("plans", job_id).read_text())
if "DEAF" in plan:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "LITTER" in plan:
    Path(tempfile.mkdtemp(), "litter").write_text("left")
runs = Path("runs") / job_id
runs.parent.mkdir(exist_ok=True)
with runs.open("a") as file:
    file.write(f"{os.getpid()}\\n")
time.sleep(float(plan.get("SECONDS", "0")))
while "WAIT" in plan and not Path("go").exists():
    time.sleep(0.05)
exits = plan.get("EXIT", "0").split()
end = exits[min(len(runs.read_text().split()), len(exits)) - 1]
if end == "lost":
    os.killpg(0, signal.SIGKILL)
sys.exit(int(end))
"""

# The server with short intervals, so that the tests take seconds.
SERVE = """
import sys
from pathlib import Path
from local import server
from local.api_gateway import connections
from local.aws_batch import runner
from local.eventbridge import watcher
from local.aws_batch.container import Container
runner.POLL_SECONDS, server.STOP_SECONDS, watcher.POLL_SECONDS = 0.05, 0.5, 0.3
runner.FIRST_PAUSE_SECONDS, watcher.FIRST_PAUSE_SECONDS = 0.05, 0.3
connections.HEAD_SECONDS, connections.BODY_SECONDS = 2.0, 2.0
root = Path(sys.argv[1])
training = root / "training.py"
container = Container([sys.executable, str(training)]) if training.exists() else None
sys.exit(server.serve(0, container, root, host=sys.argv[2]))
"""


def eventually(get: Callable[[], Value], seconds: float = 20) -> Value:
    """Call `get` until the value is true, and return the value."""
    deadline = time.monotonic() + seconds
    while not (value := get()):
        assert time.monotonic() < deadline, f"{get} was false for {seconds} seconds."
        time.sleep(0.02)
    return value


def is_alive(process: int) -> bool:
    """Whether the process exists, possibly as a zombie."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def plan_training(root: Path, job_name: str, **plan: str) -> None:
    """Write the plan of a job. See `TRAINING`."""
    path = root / "plans" / job_name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(plan))


def lay_out(root: Path) -> None:
    """Write the small project that the gateway serves."""
    (root / "template.yaml").write_text(TEMPLATE)
    (root / "training.py").write_text(TRAINING)
    functions = {"predict": PREDICT, "train": TRAIN, "convert": RECORDER}
    for name, code in functions.items():
        folder = root / "functions" / name
        folder.mkdir(parents=True)
        (folder / "app.py").write_text(code)


class Gateway:
    """A gateway in a process, and a client.

    `start` after `stop` serves the same folder on another port.

    Args:
        root: the folder of the small project.
        host: the address to listen on.
        variables: the settings of the server. The settings of the tests' own process
            are left out.
    """

    def __init__(self, root: Path, host: str = "127.0.0.1", **variables: str) -> None:
        self.root = root
        self.log = root / "log"
        self._host = host
        self._variables = variables
        self.start()

    def start(self) -> None:
        self.log.write_bytes(b"")
        command = [sys.executable, "-c", SERVE, str(self.root), self._host]
        environment = self._environment()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log
            )
        self.url = eventually(self._logged_url, START_SECONDS)
        self.client = httpx.Client(base_url=self.url, timeout=30)
        # A client of Batch from before would call the old port.
        self.__dict__.pop("batch", None)

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(PROJECT), str(PROJECT / "layers" / "shared")])
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("DIGITS_")
        }
        return kept | {"PYTHONPATH": path} | self._variables

    def _logged_url(self) -> str:
        match = re.search(r"ready: (\S+)", self.log.read_text())
        return match[1] if match else ""

    @cached_property
    def batch(self) -> Any:
        """A client of Batch with the endpoint of the train function."""
        return boto3.client(
            "batch",
            endpoint_url=self.variables()["AWS_ENDPOINT_URL_BATCH"],
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
        )

    def variables(self) -> dict[str, str]:
        """The environment variables of a function."""
        answer = self.client.post("/predict").raise_for_status()
        variables: dict[str, str] = answer.json()["about"]["environment"]
        return variables

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def stop(self, stop_signal: signal.Signals = signal.SIGTERM) -> None:
        self.client.close()
        self.process.send_signal(stop_signal)
        self.process.wait(20)

    def events(self, source: str) -> list[dict[str, Any]]:
        """The events of a source, such as `aws.batch`, that functions have handled."""
        path = self.root / "events"
        if not path.exists():
            return []
        events = map(json.loads, path.read_text().splitlines())
        return [event for event in events if event["source"] == source]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    lay_out(tmp_path)
    return tmp_path


@pytest.fixture
def own_gateway(root: Path) -> Iterator[Gateway]:
    """A gateway that the test may stop or kill."""
    running = Gateway(root)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway for all tests of a module."""
    folder = tmp_path_factory.mktemp("gateway")
    lay_out(folder)
    running = Gateway(folder)
    yield running
    running.stop()
