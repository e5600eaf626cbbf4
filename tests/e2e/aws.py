"""AWS as far as moto has it: a store, and a Batch that runs real containers, both as template.yaml says."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

from cloud import shell, training_image
from cloud.transform import transform
from digits.store import Store
from tests.conftest import sample_event

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-west-1",
}
# What moto makes as it should, and what that refers to.
HELD = {
    "AWS::Batch::ComputeEnvironment",
    "AWS::Batch::JobDefinition",
    "AWS::Batch::JobQueue",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::Subnet",
    "AWS::EC2::VPC",
    "AWS::ECR::Repository",
    "AWS::IAM::Role",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
}
# What the tests ask the stack for. ShortJobDefinition is ours: the same, with a timeout
# that a test can wait for.
NAMES = ("Bucket", "JobQueue", "JobDefinition", "ShortJobDefinition")
SHORT_SECONDS = 15


class Aws:
    """The stack, and the events that moto does not send.

    Args:
        url: of moto's server, which AWS_ENDPOINT_URL holds as well. Containers reach it
            as host.docker.internal.
        tag: a tag for the training image, which no other run may use: it tells the
            run's containers.
        scratch: a folder that jobs may write to.
    """

    def __init__(self, url: str, tag: str, scratch: Path) -> None:
        self._scratch = scratch
        self.url = url
        self.endpoint = f"http://host.docker.internal:{urlsplit(url).port}"
        self.batch = boto3.client("batch")
        outputs = self._create_stack(
            _template(scratch), {"TrainingTag": tag, "AwsEndpointUrl": self.endpoint}
        )
        self.bucket, self.queue, self.definition, self.short_definition = (
            outputs[name] for name in NAMES
        )
        self.store = Store(f"s3://{self.bucket}")
        self.image: str = self.describe_definition()["containerProperties"]["image"]
        shell.output("docker", "tag", training_image.NAME, self.image)

    def _create_stack(
        self, template: dict[str, Any], parameters: dict[str, str]
    ) -> dict[str, str]:
        client = boto3.client("cloudformation")
        client.create_stack(
            StackName="digits",
            TemplateBody=json.dumps(template),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in parameters.items()
            ],
            Capabilities=["CAPABILITY_IAM"],
        )
        stack = client.describe_stacks(StackName="digits")["Stacks"][0]
        client.close()
        return {
            output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]
        }

    def close(self) -> None:
        """Leave nothing of a job behind."""
        self.batch.close()
        for line in shell.output(
            "docker", "ps", "--all", "--format", "{{.ID}} {{.Image}}"
        ).splitlines():
            container, image = line.split()
            if image == self.image:
                shell.output("docker", "rm", "--force", "--volumes", container)
        # The files are the container's user's, so it takes a container to delete them.
        mount = (
            "--volume",
            f"{self._scratch}:/scratch",
            "--user",
            "root",
            "--entrypoint",
            "find",
        )
        shell.output(
            "docker",
            "run",
            "--rm",
            *mount,
            self.image,
            "/scratch",
            "-mindepth",
            "1",
            "-delete",
        )
        shell.output("docker", "rmi", self.image)

    def describe_definition(self) -> dict[str, Any]:
        """The job definition as Batch has it."""
        found = self.batch.describe_job_definitions(jobDefinitions=[self.definition])[
            "jobDefinitions"
        ]
        return dict(found[0])

    def job(self, job_id: str) -> dict[str, Any]:
        """What Batch, and not the service, says of a job."""
        batch_job_id = self.store.read_json(f"jobs/{job_id}/request.json")[
            "batch_job_id"
        ]
        return dict(self.batch.describe_jobs(jobs=[batch_job_id])["jobs"][0])

    def container(self, job_id: str) -> str:
        """The id of a job's running container; empty when there is none."""
        return shell.output("docker", "ps", "--quiet", "--filter", f"name={job_id}")

    def upload_event(self, key: str) -> dict[str, Any]:
        """What EventBridge would say of an upload: the sample, with what is in the bucket now."""
        entry = next(entry for entry in self.store.entries("raw") if entry.key == key)
        event = sample_event("upload")
        event["detail"]["bucket"]["name"] = self.bucket
        event["detail"]["object"] |= {
            "key": key,
            "size": entry.size,
            "etag": entry.etag.strip('"'),
        }
        return event

    def job_event(
        self, job_id: str, status_reason: str, **container: Any
    ) -> dict[str, Any]:
        """What EventBridge would say of a job's end: what moto's Batch does, and the reasons, which it leaves out."""
        job = self.job(job_id)
        event = sample_event("job-failed")
        event["detail"] = job | {
            "statusReason": status_reason,
            "container": job["container"] | container,
        }
        return event


def host_address() -> str:
    """Where this machine is for its containers, and for nobody else: moto runs any container that it is asked to.

    A container is asked. On its first start Docker 20.10 gives the default network a
    subnet, but no gateway.
    """
    ask = "import socket; print(socket.gethostbyname('host.docker.internal'))"
    known = ("--add-host", "host.docker.internal:host-gateway")
    return shell.output(
        "docker",
        "run",
        "--rm",
        *known,
        "--entrypoint",
        "python",
        training_image.NAME,
        "-c",
        ask,
    )


def _template(scratch: Path) -> dict[str, Any]:
    """What moto can hold of the template, and what it needs beyond that."""
    template = transform({})
    resources = {
        name: resource
        for name, resource in template["Resources"].items()
        if resource["Type"] in HELD
    }
    # AWS makes up a name of small letters, and has a role of Batch's own.
    resources["TrainingImages"]["Properties"]["RepositoryName"] = "training"
    resources["FargateEnvironment"]["Properties"]["ServiceRole"] = {
        "Fn::GetAtt": ["ExecutionRole", "Arn"]
    }
    job = resources["JobDefinition"]["Properties"]
    container = job["ContainerProperties"]
    # moto leaves an AWS::NoValue in a list.
    container["ResourceRequirements"] = [
        each for each in container["ResourceRequirements"] if "Type" in each
    ]
    # ECS gives a job its role's credentials, and an empty volume a place.
    container["Environment"] += [
        {"Name": name, "Value": value} for name, value in CREDENTIALS.items()
    ]
    container["Volumes"][0]["Host"] = {"SourcePath": str(scratch)}
    container["MountPoints"][0]["ReadOnly"] = False
    # moto's CloudFormation looks for the timeout under this name.
    short = job | {"timeout": {"AttemptDurationSeconds": SHORT_SECONDS}}
    resources["ShortJobDefinition"] = {
        "Type": "AWS::Batch::JobDefinition",
        "Properties": short,
    }
    return {
        "Parameters": template["Parameters"],
        "Conditions": template["Conditions"],
        "Resources": resources,
        "Outputs": {name: {"Value": {"Ref": name}} for name in NAMES},
    }
