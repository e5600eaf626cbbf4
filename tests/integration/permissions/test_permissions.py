"""The service's whole life, each part with its role of template.yaml: what it needs it may, and nothing more."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import httpx
import numpy as np
import pytest

from cloud.transform import REGION
from digits import jobs
from digits.datasets.tfds import EXAMPLES_PER_SHARD
from digits.datasets.uploads import upload_key
from digits.store import Store
from local.aws_batch.job_queue import JobQueue
from tests.conftest import load_app, sample_event
from tests.integration.permissions.gate import Gate
from tests.integration.permissions.iam import Role
from tests.stack import Stack

pytestmark = [
    pytest.mark.long,
    # Keras' own, with this NumPy.
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
    ),
]

BUCKET = "digits-permissions"
NAMES = {
    "Bucket": BUCKET,
    "Bucket.Arn": f"arn:aws:s3:::{BUCKET}",
    "JobQueue": "arn:aws:batch:us-east-1:123456789012:job-queue/digits",
    "JobDefinition": "arn:aws:batch:us-east-1:123456789012:job-definition/digits:1",
}
ROLES = ("PredictRole", "TrainRole", "ConvertRole", "TrainingRole")
# What Lambda does in a function's name.
LAMBDAS_OWN = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:SendMessage",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


class Service:
    """What runs in the cloud, cold, with the variables and the role that the template gives each part.

    Args:
        stack: the template's.
        variables: of every part, in place of the template's.
    """

    def __init__(self, stack: Stack, **variables: str) -> None:
        self._stack = stack
        self._variables = variables
        self._apps: dict[str, Any] = {}

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        given = self._stack.properties(function)
        with self._acting_as(given["Role"], given["Environment"]["Variables"]):
            if function not in self._apps:
                self._apps[function] = load_app(function.lower())
            return self._apps[function].handler(
                event, SimpleNamespace(function_name="")
            )

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The control plane's answer."""
        event = sample_event("train") | {
            "httpMethod": method,
            "path": path,
            "body": json.dumps(body) if body else None,
        }
        return json.loads(self.invoke("Train", event)["body"])

    def upload(self, name: str, npz: bytes) -> str:
        """What becomes of an upload."""
        httpx.put(
            self.ask("POST", "/datasets", {"name": name})["upload_url"], content=npz
        ).raise_for_status()
        event = sample_event("upload")
        event["detail"]["object"]["key"] = upload_key(name)
        return str(self.invoke("Convert", event)["status"])

    def run(self, job_id: str) -> str:
        """How the training container ends."""
        from training import job  # noqa: PLC0415  It loads TensorFlow.

        container = self._stack.properties("JobDefinition")["ContainerProperties"]
        variables = {it["Name"]: it["Value"] for it in container["Environment"]}
        with self._acting_as(container["JobRoleArn"], variables):
            return job.run(Store(variables["DIGITS_STORE"]), job_id).status

    @contextmanager
    def _acting_as(self, role_arn: str, variables: dict[str, str]) -> Iterator[None]:
        keys = {
            "AWS_ACCESS_KEY_ID": role_arn.removesuffix(".Arn"),
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                boto3, "DEFAULT_SESSION", None
            )  # It keeps the keys that it was made with.
            # Lambda sets the first, and boto3 goes by the second.
            for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
                patch.setenv(name, REGION)
            for name, value in {**variables, **keys, **self._variables}.items():
                patch.setenv(name, value)
            yield


@pytest.fixture(scope="module")
def roles() -> dict[str, Role]:
    stack = Stack(names=NAMES)
    return {name: Role(stack.statements(name)) for name in ROLES}


@pytest.fixture(scope="module")
def gate(
    roles: dict[str, Role], moto_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gate]:
    httpx.put(f"{moto_server}/{BUCKET}").raise_for_status()
    made = Gate(roles, moto_server, JobQueue(tmp_path_factory.mktemp("batch")))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def large_npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole shard of it goes up in parts."""
    path = tmp_path_factory.mktemp("large") / "large.npz"
    arrays = {
        "x_train": np.zeros((EXAMPLES_PER_SHARD, 28, 28), np.uint8),
        "x_test": np.zeros((10, 28, 28), np.uint8),
    }
    labels = {
        f"y_{name[2:]}": np.arange(len(images), dtype=np.uint8) % 10
        for name, images in arrays.items()
    }
    np.savez(path, **arrays, **labels)  # type: ignore[arg-type]  # its stub takes every name for allow_pickle
    return path


def lose_batch_id(job_id: str, url: str) -> None:
    """As if the function had ended two minutes ago, between Batch's answer and the job's record."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", url)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        store = Store(f"s3://{BUCKET}")
    request = jobs.load_request(store, job_id)
    jobs.update_request(
        store,
        replace(
            request, batch_job_id=None, created=request.created - timedelta(minutes=2)
        ),
    )


@pytest.fixture(scope="module")
def story(gate: Gate, moto_server: str, tiny_npz: Path, large_npz: Path) -> None:
    stack = Stack({"AwsEndpointUrl": gate.url}, NAMES)
    service = Service(stack, AWS_ENDPOINT_URL_BATCH=gate.batch_url)
    assert service.invoke("Predict", sample_event("predict"))["statusCode"] == 200

    assert service.upload("tiny", b"no npz") == "refused"
    assert "problem" in service.ask("GET", "/datasets")["datasets"][0]
    assert service.upload("tiny", tiny_npz.read_bytes()) == "converted"
    for _ in range(2):  # S3 tells of an upload at least once.
        assert service.upload("large", large_npz.read_bytes()) == "converted"

    wanted = {"dataset": "tiny", "architecture": "lab", "epochs": 3, "batch_size": 32}
    without_batch = Service(
        stack, AWS_ENDPOINT_URL_BATCH="http://127.0.0.1:1", AWS_MAX_ATTEMPTS="1"
    )
    assert (
        without_batch.ask("POST", "/train", wanted)["type"]
        == "urn:digits:batch-unavailable"
    )
    job_id = service.ask("POST", "/train", wanted)["job_id"]
    assert service.run(job_id) == "SUCCEEDED"
    ended = sample_event("job-failed")
    ended["detail"] |= {"jobName": job_id, "status": "SUCCEEDED"}
    service.invoke("Train", ended)
    other = service.ask("POST", "/train", wanted)["job_id"]
    assert service.ask("DELETE", f"/train/{other}")["status"] == "FAILED"
    assert {job["status"] for job in service.ask("GET", "/train")["jobs"]} == {
        "SUCCEEDED",
        "FAILED",
    }

    model, bundled = service.ask("GET", "/models")["models"]
    version = model["version"]
    assert bundled["version"] == "bundled"
    assert service.ask("GET", f"/models/{version}") == model
    assert (
        service.ask("POST", f"/models/{version}/release", {"reason": "try"})["number"]
        == 1
    )

    # A training can be as good as this one, and is released then.
    third = service.ask("POST", "/train", wanted)["job_id"]
    lose_batch_id(third, moto_server)
    assert service.ask("GET", f"/train/{third}")["status"] == "SUBMITTED"
    assert service.run(third) == "SUCCEEDED"
    assert service.ask("GET", f"/train/{third}")["released"]
    assert (
        service.ask("POST", f"/models/{version}/release", {"reason": "again"})["number"]
        == 3
    )
    cold = Service(stack).invoke("Predict", sample_event("predict"))
    assert json.loads(cold["body"])["model_version"] == version


@pytest.mark.usefixtures("story")
def test_each_part_may_do_what_it_does(gate: Gate) -> None:
    assert gate.denied == []


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize("role", ROLES)
def test_no_part_may_do_what_it_does_not(roles: dict[str, Role], role: str) -> None:
    unused = {
        (action, it)
        for action, it in roles[role].permissions - roles[role].used
        if action not in LAMBDAS_OWN
    }
    assert unused == set()
