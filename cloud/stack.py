"""The stack of a stage, as AWS describes it."""

from functools import cached_property
from typing import Any

import boto3
from botocore.exceptions import ClientError

from cloud.config import Settings
from cloud.shell import CloudError

# A stack in one of these states can only be deleted.
DELETE_ONLY = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")
# The names of the log groups among the stack's resources, in JMESPath.
LOG_GROUPS = (
    "StackResourceSummaries[?ResourceType=='AWS::Logs::LogGroup'].PhysicalResourceId"
)


class Stack:
    """A stack, which need not exist."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def session(self) -> boto3.Session:
        """Makes clients for the stack's region and account."""
        return boto3.Session(
            region_name=self.settings.region, profile_name=self.settings.profile
        )

    def account(self) -> str:
        """The account of the credentials."""
        return str(self.session.client("sts").get_caller_identity()["Account"])

    def describe(self) -> dict[str, Any] | None:
        """CloudFormation's description; None without a stack."""
        client = self.session.client("cloudformation")
        try:
            answer = client.describe_stacks(StackName=self.settings.stack)
        except ClientError as error:
            # CloudFormation has no error code of its own for a stack that is missing.
            if "does not exist" in str(error):
                return None
            raise
        return dict(answer["Stacks"][0])

    def outputs(self) -> dict[str, str]:
        """Values by name: an empty dictionary without a stack or a finished deployment."""
        description = self.describe() or {}
        outputs = description.get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in outputs}

    def require_outputs(self) -> dict[str, str]:
        """Values by name.

        Raises:
            CloudError: there is no stack, or its deployment never finished.
        """
        outputs = self.outputs()
        if not outputs:
            raise CloudError(
                f"{self.settings.stack} is not deployed in {self.settings.region}. "
                "Run `make deploy`."
            )
        return outputs

    def require_deployable(self) -> None:
        """Check, before a build of minutes, that CloudFormation would accept a deployment.

        Raises:
            CloudError: the stack can only be deleted, or is being changed.
        """
        status = (self.describe() or {}).get("StackStatus", "")
        name = self.settings.stack
        if status in DELETE_ONLY:
            raise CloudError(
                f"{name} is {status} and can only be deleted. Its events in the "
                "CloudFormation console say why. Run `make destroy`."
            )
        if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
            raise CloudError(f"{name} is {status}. Wait until that has ended.")

    def log_groups(self) -> list[str]:
        """The names of the log groups of the API, the functions and the trainings.

        Raises:
            CloudError: there is no stack.
        """
        self.require_outputs()
        client = self.session.client("cloudformation")
        paginator = client.get_paginator("list_stack_resources")
        pages = paginator.paginate(StackName=self.settings.stack)
        groups: list[str] = list(pages.search(LOG_GROUPS))
        return groups

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket, with all versions of all its objects."""
        bucket = self.session.resource("s3").Bucket(name)
        bucket.object_versions.delete()
        bucket.delete()
