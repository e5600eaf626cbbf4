"""The part of IAM that the roles of the stack need: the actions of a request, and policies."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from cloud.transform import REGION
from local.aws_batch.batch_api import PATH

# The actions of a request for an object, by its method and the operation in its query.
OBJECT_ACTIONS = {
    ("GET",): ["s3:GetObject"],
    ("HEAD",): ["s3:GetObject"],
    ("PUT",): ["s3:PutObject"],
    # A client that starts a multipart upload must be able to abort the upload, which our
    # code does only after a failure.
    ("POST", "uploads"): ["s3:PutObject", "s3:AbortMultipartUpload"],
    ("PUT", "uploadId"): ["s3:PutObject"],
    ("POST", "uploadId"): ["s3:PutObject"],
}
# Parameters of a query that do not name the operation.
REFINEMENTS = {
    "prefix",
    "delimiter",
    "partNumber",
    "start-after",
    "continuation-token",
    "max-keys",
}


# An action, and a pattern of resources.
Permission = tuple[str, str]


@dataclass(frozen=True)
class Call:
    """An action on a resource, with IAM's condition keys."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict, hash=False)


class Role:
    """The permissions of a role, and the permissions that were used.

    Attributes:
        permissions: pairs of an action and a pattern of resources.
        used: the permissions that allowed a call.
    """

    def __init__(self, statements: list[dict[str, Any]]) -> None:
        self._statements = statements
        self.permissions: set[Permission] = set()
        for statement in statements:
            self.permissions.update(product(statement["Action"], statement["Resource"]))
        self.used: set[Permission] = set()

    def allows(self, call: Call) -> bool:
        """Whether a permission allows the call. Records the use."""
        allowing = self._allowing(call)
        self.used |= allowing
        return bool(allowing)

    def may_list(self, bucket: str) -> bool:
        """Whether S3 tells the role that an object is missing."""
        return bool(self._allowing(Call("s3:ListBucket", bucket)))

    def _allowing(self, call: Call) -> set[Permission]:
        allowing = set()
        for statement in self._statements:
            condition = statement.get("Condition", {})
            if call.action in statement["Action"] and _holds(condition, call.context):
                for pattern in statement["Resource"]:
                    if _is_like(pattern, call.resource):
                        allowing.add((call.action, pattern))
        return allowing


def to_calls(
    method: str, path: str, query: Mapping[str, str], body: bytes
) -> list[Call]:
    """The calls of a request to S3 (bucket in the path) or Batch. All must be allowed.

    An unknown request becomes an action that no role has.
    """
    if path.startswith(PATH):
        return _batch_calls(path.rpartition("/")[2], json.loads(body))
    bucket, _, key = path.removeprefix("/").partition("/")
    arn = f"arn:aws:s3:::{bucket}"
    parameters = {name for name in query if not name.startswith("X-Amz-")}
    operation = parameters - REFINEMENTS
    if key:
        actions = OBJECT_ACTIONS.get((method, *operation), [f"{method} {operation}"])
        return [Call(action, f"{arn}/{key}") for action in actions]
    if (method, *operation) == ("POST", "delete"):
        keys = re.findall(r"<Key>(.+?)</Key>", body.decode())
        return [Call("s3:DeleteObject", f"{arn}/{key}") for key in keys]
    action = f"{method} {operation}"
    if (method, *operation) == ("GET", "list-type"):
        action = "s3:ListBucket"
    return [Call(action, arn, {"s3:prefix": query.get("prefix", "")})]


def _batch_calls(operation: str, body: dict[str, Any]) -> list[Call]:
    match operation:
        case "submitjob":
            resources = body["jobQueue"], body["jobDefinition"]
            return [Call("batch:SubmitJob", resource) for resource in resources]
        case "terminatejob":
            job = f"arn:aws:batch:{REGION}:123456789012:job/{body['jobId']}"
            return [Call("batch:TerminateJob", job)]
        case "describejobs":
            return [Call("batch:DescribeJobs", "*")]
        case "listjobs":
            return [Call("batch:ListJobs", "*")]
    return [Call(operation, "*")]


def _holds(condition: dict[str, dict[str, str]], context: Mapping[str, str]) -> bool:
    if condition.keys() - {"StringLike"}:
        raise NotImplementedError(condition)
    patterns = condition.get("StringLike", {})
    return all(
        key in context and _is_like(pattern, context[key])
        for key, pattern in patterns.items()
    )


def _is_like(pattern: str, text: str) -> bool:
    """Whether IAM's wildcards `*` and `?` match the text."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return bool(re.fullmatch(expression, text))
