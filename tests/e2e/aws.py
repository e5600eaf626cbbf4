"""The stack of template.yaml on moto: a store, and a Batch that runs real containers."""

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
# The resources that moto creates correctly, and the resources that those refer to.
SUPPORTED = {
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
# The outputs that the tests read. ShortJobDefinition is JobDefinition with a timeout that a
# test can wait for.
NAMES = ("Bucket", "FargateQueue", "JobDefinition", "ShortJobDefinition")
SHORT_SECONDS = 15


class Aws:
    """The stack, and the events that moto does not send.

    Args:
        url: moto's server, to which AWS_ENDPOINT_URL leads, too. For containers its host
            is host.docker.internal.
        tag: a tag for the training image. Each run of the tests needs another tag, by
            which `close` finds its containers.
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
        """Remove the containers, files and image of the jobs."""
        self.batch.close()
        listed = shell.output("docker", "ps", "--all", "--format", "{{.ID}} {{.Image}}")
        for line in listed.splitlines():
            container, image = line.split()
            if image == self.image:
                shell.output("docker", "rm", "--force", "--volumes", container)
        # The container's user owns the files, so a container deletes them.
        options = ["--volume", f"{self._scratch}:/scratch", "--user", "root"]
        options += ["--entrypoint", "find"]
        delete = ["/scratch", "-mindepth", "1", "-delete"]
        shell.output("docker", "run", "--rm", *options, self.image, *delete)
        shell.output("docker", "rmi", self.image)

    def describe_definition(self) -> dict[str, Any]:
        """The job definition that Batch has stored."""
        answer = self.batch.describe_job_definitions(jobDefinitions=[self.definition])
        return dict(answer["jobDefinitions"][0])

    def job(self, job_id: str) -> dict[str, Any]:
        """A job as Batch describes it, not the service."""
        request = self.store.read_json(f"jobs/{job_id}/request.json")
        answer = self.batch.describe_jobs(jobs=[request["batch_job_id"]])
        return dict(answer["jobs"][0])

    def container(self, job_id: str) -> str:
        """The id of a job's running container; empty if the job has no container."""
        return shell.output("docker", "ps", "--quiet", "--filter", f"name={job_id}")

    def upload_event(self, key: str) -> dict[str, Any]:
        """The event that EventBridge would send for an upload."""
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
        """The event that EventBridge would send for a job's end. moto leaves out the reasons."""
        job = self.job(job_id)
        event = sample_event("job-failed")
        event["detail"] = job | {
            "statusReason": status_reason,
            "container": job["container"] | container,
        }
        return event


def host_address() -> str:
    """The address of this machine for its containers.

    No other machine may reach moto, which runs any container on request. A container
    looks the address up: after its first start, Docker 20.10 tells the subnet of the
    default network, but not the gateway.
    """
    script = "import socket; print(socket.gethostbyname('host.docker.internal'))"
    options = ["--add-host", "host.docker.internal:host-gateway"]
    options += ["--entrypoint", "python"]
    command = ["docker", "run", "--rm", *options, training_image.NAME, "-c", script]
    return shell.output(*command)


def _template(scratch: Path) -> dict[str, Any]:
    """The part of the template that moto supports, and what moto needs besides."""
    template = transform({})
    resources = {
        name: resource
        for name, resource in template["Resources"].items()
        if resource["Type"] in SUPPORTED
    }
    # AWS makes a name of small letters, and uses a role of Batch's own.
    resources["TrainingImages"]["Properties"]["RepositoryName"] = "training"
    resources["FargateEnvironment"]["Properties"]["ServiceRole"] = {
        "Fn::GetAtt": ["ExecutionRole", "Arn"]
    }
    job = resources["JobDefinition"]["Properties"]
    container = job["ContainerProperties"]
    # moto keeps AWS::NoValue in a list.
    requirements = container["ResourceRequirements"]
    container["ResourceRequirements"] = [
        part for part in requirements if "Type" in part
    ]
    # On AWS, ECS provides credentials of the job's role, and a folder for an empty volume.
    container["Environment"] += [
        {"Name": name, "Value": value} for name, value in CREDENTIALS.items()
    ]
    container["Volumes"][0]["Host"] = {"SourcePath": str(scratch)}
    container["MountPoints"][0]["ReadOnly"] = False
    # moto's CloudFormation reads the timeout under this name.
    short = job | {
        "JobDefinitionName": "short-training",
        "timeout": {"AttemptDurationSeconds": SHORT_SECONDS},
    }
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
