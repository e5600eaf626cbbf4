"""The roles of template.yaml have the permissions that each part needs, and no others."""

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
from tests.conftest import Arrays, load_app, sample_event
from tests.integration.permissions.gate import Gate
from tests.integration.permissions.iam import Role
from tests.stack import Stack

pytestmark = [
    pytest.mark.long,
    # Keras warns with this NumPy.
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
    ),
]

BUCKET = "digits-permissions"
NAMES = {
    "Bucket": BUCKET,
    "Bucket.Arn": f"arn:aws:s3:::{BUCKET}",
    "FargateQueue": "arn:aws:batch:us-east-1:123456789012:job-queue/digits",
    "JobDefinition": (
        "arn:aws:batch:us-east-1:123456789012:job-definition/digits-training:1"
    ),
}
ROLES = ("PredictRole", "TrainRole", "ConvertRole", "TrainingRole")
TINY = {"dataset": "tiny", "architecture": "lab", "epochs": 3, "batch_size": 32}
# Lambda itself uses these permissions of a function's role.
LAMBDAS_OWN = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:SendMessage",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


class Service:
    """The functions and the training container, with the variables and roles of the template.

    Args:
        stack: what the template creates.
        variables: of every part, in place of the template's.
    """

    def __init__(self, stack: Stack, **variables: str) -> None:
        self._stack = stack
        self._variables = variables
        self._apps: dict[str, Any] = {}

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        properties = self._stack.properties(function)
        variables = properties["Environment"]["Variables"]
        with self._acting_as(properties["Role"], variables):
            if function not in self._apps:
                self._apps[function] = load_app(function.lower())
            context = SimpleNamespace(function_name="")
            return self._apps[function].handler(event, context)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The control plane's answer."""
        text = json.dumps(body) if body else None
        request = {"httpMethod": method, "path": path, "body": text}
        event = sample_event("train") | request
        return json.loads(self.invoke("Train", event)["body"])

    def upload(self, name: str, npz: bytes) -> str:
        """Upload an npz, and convert. Returns the function's answer."""
        upload_url = self.ask("POST", "/datasets", {"name": name})["upload_url"]
        httpx.put(upload_url, content=npz).raise_for_status()
        event = sample_event("upload")
        event["detail"]["object"]["key"] = upload_key(name)
        return str(self.invoke("Convert", event)["status"])

    def run(self, job_id: str) -> str:
        """Run the training container. Returns the status of the job."""
        from training import job  # noqa: PLC0415  It loads TensorFlow.

        container = self._stack.properties("JobDefinition")["ContainerProperties"]
        variables = {part["Name"]: part["Value"] for part in container["Environment"]}
        with self._acting_as(container["JobRoleArn"], variables):
            return job.run(Store(variables["DIGITS_STORE"]), job_id).status

    @contextmanager
    def _acting_as(self, role_arn: str, variables: dict[str, str]) -> Iterator[None]:
        keys = {
            "AWS_ACCESS_KEY_ID": role_arn.removesuffix(".Arn"),
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        with pytest.MonkeyPatch.context() as patch:
            # The default session would keep the keys of its first use.
            patch.setattr(boto3, "DEFAULT_SESSION", None)
            # Lambda sets the first variable, and boto3 reads the second.
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
    gate = Gate(roles, moto_server, JobQueue(tmp_path_factory.mktemp("batch")))
    yield gate
    gate.stop()


@pytest.fixture(scope="module")
def large_npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An npz with a full shard, which needs a multipart upload."""
    path = tmp_path_factory.mktemp("large") / "large.npz"
    arrays: Arrays = {}
    for split, count in {"train": EXAMPLES_PER_SHARD, "test": 10}.items():
        arrays[f"x_{split}"] = np.zeros((count, 28, 28), np.uint8)
        arrays[f"y_{split}"] = np.arange(count, dtype=np.uint8) % 10
    np.savez(path, **arrays)  # type: ignore[arg-type]  # its stub takes every name for allow_pickle
    return path


def lose_batch_id(job_id: str, url: str) -> None:
    """Make the record of a function that ended two minutes ago, before it stored Batch's answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", url)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        store = Store(f"s3://{BUCKET}")
    request = jobs.load_request(store, job_id)
    created = request.created - timedelta(minutes=2)
    jobs.update_request(store, replace(request, batch_job_id=None, created=created))


@pytest.fixture(scope="module")
def story(gate: Gate, moto_server: str, tiny_npz: Path, large_npz: Path) -> None:
    """Use every part of the service: each permission must be needed once."""
    stack = Stack({"AwsEndpointUrl": gate.url}, NAMES)
    service = Service(stack, AWS_ENDPOINT_URL_BATCH=gate.batch_url)
    assert service.invoke("Predict", sample_event("predict"))["statusCode"] == 200
    upload(service, tiny_npz, large_npz)
    miss_batch(stack)
    train_and_cancel(service)
    version = release(service)
    reconcile(service, moto_server)
    assert release_model(service, version) == 3
    # A cold function reads the live model.
    cold = Service(stack).invoke("Predict", sample_event("predict"))
    assert json.loads(cold["body"])["model_version"] == version


def upload(service: Service, tiny_npz: Path, large_npz: Path) -> None:
    assert service.upload("tiny", b"no npz") == "refused"
    assert "problem" in service.ask("GET", "/datasets")["datasets"][0]
    assert service.upload("tiny", tiny_npz.read_bytes()) == "converted"
    # S3 may send an event twice.
    for _ in range(2):
        assert service.upload("large", large_npz.read_bytes()) == "converted"


def miss_batch(stack: Stack) -> None:
    """Ask for a training while Batch cannot be reached."""
    unreachable = "http://127.0.0.1:1"
    service = Service(stack, AWS_ENDPOINT_URL_BATCH=unreachable, AWS_MAX_ATTEMPTS="1")
    problem = service.ask("POST", "/train", TINY)
    assert problem["type"] == "urn:digits:batch-unavailable"


def train_and_cancel(service: Service) -> None:
    trained = service.ask("POST", "/train", TINY)["job_id"]
    assert service.run(trained) == "SUCCEEDED"
    ended = sample_event("job-failed")
    ended["detail"] |= {"jobName": trained, "status": "SUCCEEDED"}
    service.invoke("Train", ended)
    cancelled = service.ask("POST", "/train", TINY)["job_id"]
    assert service.ask("DELETE", f"/train/{cancelled}")["status"] == "FAILED"
    listed = service.ask("GET", "/train")["jobs"]
    assert {job["status"] for job in listed} == {"SUCCEEDED", "FAILED"}


def release(service: Service) -> str:
    """Release the trained model. Returns its version."""
    model, bundled = service.ask("GET", "/models")["models"]
    version: str = model["version"]
    assert bundled["version"] == "bundled"
    assert service.ask("GET", f"/models/{version}") == model
    assert release_model(service, version) == 1
    return version


def release_model(service: Service, version: str) -> int:
    """Release a model. Returns the number of the release."""
    reason = {"reason": "Released by a test."}
    made = service.ask("POST", f"/models/{version}/release", reason)
    return int(made["number"])


def reconcile(service: Service, moto_server: str) -> None:
    """Finish a training whose submission was not recorded, with a model as good as the live one."""
    job_id = service.ask("POST", "/train", TINY)["job_id"]
    lose_batch_id(job_id, moto_server)
    assert service.ask("GET", f"/train/{job_id}")["status"] == "SUBMITTED"
    assert service.run(job_id) == "SUCCEEDED"
    assert service.ask("GET", f"/train/{job_id}")["released"]


@pytest.mark.usefixtures("story")
def test_the_permissions_of_each_part_suffice(gate: Gate) -> None:
    assert gate.denied == []


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize("role", ROLES)
def test_no_role_has_an_unused_permission(roles: dict[str, Role], role: str) -> None:
    unused = roles[role].permissions - roles[role].used
    assert {pair for pair in unused if pair[0] not in LAMBDAS_OWN} == set()
