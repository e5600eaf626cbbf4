"""What AWS says of the stack."""

from functools import cached_property
from typing import Any

import boto3
from botocore.exceptions import ClientError

from cloud.config import Settings
from cloud.shell import CloudError

# Of a stack whose creation or deletion failed: it can be deleted, and nothing else.
DEAD = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")


class Stack:
    """The stack of a stage, which need not exist."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def session(self) -> boto3.Session:
        """For clients of the stack's region and account."""
        return boto3.Session(
            region_name=self.settings.region, profile_name=self.settings.profile
        )

    def account(self) -> str:
        """The account that the credentials are of."""
        return str(self.session.client("sts").get_caller_identity()["Account"])

    def describe(self) -> dict[str, Any] | None:
        """CloudFormation's description; None without a stack."""
        try:
            answer = self.session.client("cloudformation").describe_stacks(
                StackName=self.settings.stack
            )
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return dict(answer["Stacks"][0])

    def outputs(self) -> dict[str, str]:
        """By name; none without a stack, and before it was first deployed."""
        described = self.describe() or {}
        return {
            output["OutputKey"]: output["OutputValue"]
            for output in described.get("Outputs", [])
        }

    def require_outputs(self) -> dict[str, str]:
        """By name.

        Raises:
            CloudError: there is no such stack, or it was never deployed to the end.
        """
        if outputs := self.outputs():
            return outputs
        raise CloudError(
            f"{self.settings.stack} is not deployed in {self.settings.region}. Run make deploy."
        )

    def require_deployable(self) -> None:
        """See that CloudFormation would take a deployment, before minutes are spent on a build.

        Raises:
            CloudError: it would not.
        """
        status = (self.describe() or {}).get("StackStatus", "")
        name = self.settings.stack
        if status in DEAD:
            raise CloudError(
                f"{name} is {status} and can only be deleted: its events say why. Run make destroy."
            )
        if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
            raise CloudError(f"{name} is {status}: wait until that is done.")

    def log_groups(self) -> list[str]:
        """Of the API, the functions and the trainings.

        Raises:
            CloudError: there is no such stack.
        """
        self.require_outputs()
        pages = self.session.client("cloudformation").get_paginator(
            "list_stack_resources"
        )
        return [
            resource["PhysicalResourceId"]
            for page in pages.paginate(StackName=self.settings.stack)
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == "AWS::Logs::LogGroup"
        ]

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket with every version of everything in it."""
        bucket = self.session.resource("s3").Bucket(name)
        bucket.object_versions.delete()
        bucket.delete()
