"""IAM, as far as the stack's roles need it: which actions a request is, and which of a role's statements allow it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloud.transform import REGION
from local.aws_batch.batch_api import PATH

# Of a request to an object, by its method and what its query says it is about.
OBJECT_ACTIONS = {
    ("GET",): ["s3:GetObject"],
    ("HEAD",): ["s3:GetObject"],
    ("PUT",): ["s3:PutObject"],
    # Who begins an upload in parts must be able to break it off, which no part of ours
    # does unless S3 fails.
    ("POST", "uploads"): ["s3:PutObject", "s3:AbortMultipartUpload"],
    ("PUT", "uploadId"): ["s3:PutObject"],
    ("POST", "uploadId"): ["s3:PutObject"],
}
# What a query may say beside what it is about.
REFINEMENTS = {
    "prefix",
    "delimiter",
    "partNumber",
    "start-after",
    "continuation-token",
    "max-keys",
}


@dataclass(frozen=True)
class Call:
    """An action on a resource, and what IAM knows of the circumstances."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict, hash=False)


class Role:
    """What a role may do, and what of it was used.

    Attributes:
        permissions: each pair of an action and a pattern of resources.
        used: those that allowed a call.
    """

    def __init__(self, statements: list[dict[str, Any]]) -> None:
        self._statements = statements
        self.permissions = {
            (action, it)
            for st in statements
            for action in st["Action"]
            for it in st["Resource"]
        }
        self.used: set[tuple[str, str]] = set()

    def allows(self, call: Call) -> bool:
        """Whether the role may do this, which counts as use."""
        fitting = self._fitting(call)
        self.used |= fitting
        return bool(fitting)

    def may_list(self, bucket: str) -> bool:
        """Whether S3 tells the role that an object is not there."""
        return bool(self._fitting(Call("s3:ListBucket", bucket)))

    def _fitting(self, call: Call) -> set[tuple[str, str]]:
        return {
            (call.action, pattern)
            for statement in self._statements
            if call.action in statement["Action"]
            and _holds(statement.get("Condition", {}), call.context)
            for pattern in statement["Resource"]
            if _is_like(pattern, call.resource)
        }


def to_calls(
    method: str, path: str, query: Mapping[str, str], body: bytes
) -> list[Call]:
    """What a request to S3 (with the bucket in its path) or Batch asks for, all of which must be allowed.

    One that is not known here is an action that no role is allowed.
    """
    if path.startswith(PATH):
        return _batch_calls(path.rpartition("/")[2], json.loads(body))
    bucket, _, key = path.removeprefix("/").partition("/")
    arn = f"arn:aws:s3:::{bucket}"
    operation = {name for name in query if not name.startswith("X-Amz-")} - REFINEMENTS
    if key:
        actions = OBJECT_ACTIONS.get((method, *operation), [f"{method} {operation}"])
        return [Call(action, f"{arn}/{key}") for action in actions]
    if (method, *operation) == ("POST", "delete"):
        return [
            Call("s3:DeleteObject", f"{arn}/{key}")
            for key in re.findall(r"<Key>(.+?)</Key>", body.decode())
        ]
    action = (
        "s3:ListBucket"
        if (method, *operation) == ("GET", "list-type")
        else f"{method} {operation}"
    )
    return [Call(action, arn, {"s3:prefix": query.get("prefix", "")})]


def _batch_calls(operation: str, body: dict[str, Any]) -> list[Call]:
    match operation:
        case "submitjob":
            return [
                Call("batch:SubmitJob", body[part])
                for part in ("jobQueue", "jobDefinition")
            ]
        case "terminatejob":
            return [
                Call(
                    "batch:TerminateJob",
                    f"arn:aws:batch:{REGION}:123456789012:job/{body['jobId']}",
                )
            ]
        case "describejobs":
            return [Call("batch:DescribeJobs", "*")]
        case "listjobs":
            return [Call("batch:ListJobs", "*")]
    return [Call(operation, "*")]


def _holds(condition: dict[str, dict[str, str]], context: Mapping[str, str]) -> bool:
    if condition.keys() - {"StringLike"}:
        raise NotImplementedError(condition)
    wanted = condition.get("StringLike", {})
    return all(
        key in context and _is_like(pattern, context[key])
        for key, pattern in wanted.items()
    )


def _is_like(pattern: str, text: str) -> bool:
    return bool(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text)
    )
