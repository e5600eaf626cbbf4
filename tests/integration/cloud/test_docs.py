"""docs/deploy.md and docs/operations.md, pasted into a shell block by block.

AWS is moto's server. `aws`, `sam` and `docker` are stand-ins. The API is the service on
this machine, with the bucket as its store.
"""

import json
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import boto3
import pytest

from cloud.sam import read_template
from digits.store import Store
from tests.conftest import ROOT
from tests.docs import Shell, blocks, copy_checkout, write_tool
from tests.integration.cloud.conftest import REGION, Checkout
from tests.integration.conftest import Service

DOCUMENTS = ("docs/deploy.md", "docs/operations.md")
# tests/e2e/test_docs.py runs the blocks of this section.
IN_CONTAINERS = "On one machine, in containers"
# Names that the documents use in examples.
DELETED = "models/20260112T140530Z-0a1b2c3d/model.tflite"
OLD_BUCKET = "digits-bucket-0a1b2c3d4e5f"
KEPT, LEFT = "datasets/old", "raw/old.npz"
CONVERTED_SECONDS = 30


@dataclass(frozen=True)
class Deployed:
    """The part of a stack that the documents use."""

    checkout: Checkout
    service: Service
    store: Store
    key: str


def create_bucket(name: str) -> Any:
    s3: Any = boto3.resource("s3")
    bucket = s3.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    bucket.Versioning().enable()
    return bucket


def create_stack(checkout: Checkout, outputs: dict[str, str]) -> None:
    """Create a stack, and give `sam deploy` a template with the same outputs."""
    images = {
        "Type": "AWS::ECR::Repository",
        "Properties": {"RepositoryName": {"Ref": "AWS::StackName"}},
    }
    values = outputs | {
        "TrainingImages": {"Fn::GetAtt": ["TrainingImages", "RepositoryUri"]}
    }
    template = {
        "Parameters": {"TrainingTag": {"Type": "String"}},
        "Resources": {"TrainingImages": images},
        "Outputs": {name: {"Value": value} for name, value in values.items()},
    }
    checkout.tell("template", json.dumps(template))
    boto3.client("cloudformation").create_stack(
        StackName=checkout.name,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": "TrainingTag", "ParameterValue": "a"}],
    )


@pytest.fixture
def deployed(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Deployed]:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.delenv("PYTHONPATH")
    checkout.save()
    saved = checkout.config.read_text()
    copy_checkout(checkout.folder)
    staging = saved.replace("default", "staging").replace(
        checkout.name, f"{checkout.name}-2"
    )
    checkout.config.write_text(saved + staging.partition("\n")[2])
    write_tool(
        checkout.tools / "aws",
        Path(sys.executable),
        Path(__file__).with_name("aws_stand_in.py").read_text(),
    )
    checkout.git("add", ".")
    checkout.commit("docs.md")

    name = f"digits-{uuid.uuid4()}"
    create_bucket(name)
    service = Service(tmp_path, f"s3://{name}")
    gateway = boto3.client("apigateway")
    key = gateway.create_api_key(name="first", enabled=True)["id"]
    outputs = {
        "Url": f"http://127.0.0.1:{service.port}",
        "ApiKey": key,
        "UsagePlan": gateway.create_usage_plan(name=name)["id"],
        "Curl": "curl",
        "Bucket": name,
        "TrainingImages": "",
        "JobQueue": "queue",
        "FailedEvents": boto3.client("sqs").create_queue(QueueName=name)["QueueUrl"],
        "DashboardUrl": "https://dashboard.test/",
    }
    assert outputs.keys() == read_template(ROOT / "template.yaml")["Outputs"].keys()
    create_stack(checkout, outputs)
    yield Deployed(checkout, service, Store(f"s3://{name}"), key)
    # A training continues after the service stops, unless the training is cancelled.
    for job in service.client.get("/train").json()["jobs"]:
        service.client.delete(f"/train/{job['job_id']}")
    service.stop()
    service.client.close()


@pytest.mark.long
def test_deploying_and_operating_run_as_pasted(
    deployed: Deployed, tiny_npz: Path
) -> None:
    service, store = deployed.service, deployed.store
    store.write(DELETED, b"model")
    store.delete(DELETED)
    old = create_bucket(OLD_BUCKET)
    for key in KEPT, LEFT:
        old.put_object(Key=key, Body=b"")

    def converted() -> bool:
        uploads = [Path(entry.key).stem for entry in store.entries("raw")]
        return all(service.dataset(name).get("versions") for name in uploads)

    shell = Shell(
        deployed.checkout.folder,
        deployed.checkout.tools / "log",
        {"MNIST_NPZ": str(tiny_npz)},
    )
    try:
        for block in chain.from_iterable(map(blocks, DOCUMENTS)):
            if block.section != IN_CONTAINERS:
                # The documents tell the reader to wait for the list of datasets.
                service.wait(converted, CONVERTED_SECONDS)
                shell.run(block.text)
    finally:
        shell.close()

    (job,) = service.client.get("/train").json()["jobs"]
    assert job["reason"].startswith("Cancelled by")
    assert service.client.get("/models").json()["live"] == "bundled"
    assert not boto3.client("apigateway").get_api_key(apiKey=deployed.key)["enabled"]
    keys = {entry.key for entry in store.entries("")}
    assert {"raw/mnist.npz", "raw/mine.npz", DELETED, KEPT} <= keys
    assert LEFT not in keys
