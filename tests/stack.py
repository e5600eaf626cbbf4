"""The stack that CloudFormation would create from template.yaml, with any parameters."""

import re
from collections.abc import Mapping
from typing import Any

from cloud.transform import REGION, transform

_ABSENT = object()
_PSEUDO_PARAMETERS = {
    "AWS::AccountId": "123456789012",
    "AWS::NoValue": _ABSENT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": "digits",
    "AWS::URLSuffix": "amazonaws.com",
}


class Stack:
    """Resources and outputs by logical id, with the value of each intrinsic function.

    The value of a reference is the logical id of the resource, and `Bucket.Arn` for an
    attribute, unless `names` says otherwise. A reference to a resource that the
    conditions leave out raises KeyError.

    Args:
        parameters: as for `sam deploy`; other parameters have their defaults.
        names: the values of references to resources (`Bucket`) and attributes (`Bucket.Arn`).

    Attributes:
        resources: type, properties and the rest of each resource.
        outputs: the value of each output.
    """

    def __init__(
        self,
        parameters: Mapping[str, str] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        given = {"TrainingTag": "0f1e2d3c4b5a", **(parameters or {})}
        template = transform(given)
        declared = template["Parameters"].items()
        defaults = {name: about.get("Default") for name, about in declared}
        self._values = defaults | given | _PSEUDO_PARAMETERS
        self._conditions = template["Conditions"]
        created = {
            name: resource
            for name, resource in template["Resources"].items()
            if self._is_created(resource)
        }
        self._names = {name: name for name in created} | dict(names or {})
        self.resources: dict[str, dict[str, Any]] = self._resolve(created)
        self.outputs: dict[str, str] = {}
        for name, output in template["Outputs"].items():
            self.outputs[name] = str(self._resolve(output["Value"]))

    def properties(self, name: str) -> dict[str, Any]:
        """The properties of a resource."""
        properties: dict[str, Any] = self.resources[name]["Properties"]
        return properties

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of all resources of a type, such as `AWS::S3::Bucket`, by logical id."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def operations(self) -> dict[str, dict[str, Any]]:
        """The OpenAPI operation of each route of the API, such as `GET /train`."""
        operations: dict[str, dict[str, Any]] = {}
        paths = self.properties("Api")["Body"]["paths"]
        for path, methods in paths.items():
            for method, operation in methods.items():
                operations[f"{method.upper()} {path}"] = operation
        return operations

    def statements(self, role: str) -> list[dict[str, Any]]:
        """The statements of a role's own policies, with actions and resources as lists."""
        statements: list[dict[str, Any]] = []
        for policy in self.properties(role).get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = as_list(statement["Action"])
                resources = as_list(statement["Resource"])
                statements.append(
                    {**statement, "Action": actions, "Resource": resources}
                )
        return statements

    def _is_created(self, resource: Mapping[str, Any]) -> bool:
        if "Condition" not in resource:
            return True
        return self._holds({"Condition": resource["Condition"]})

    def _holds(self, condition: Mapping[str, Any]) -> bool:
        ((operator, argument),) = condition.items()
        match operator:
            case "Condition":
                return self._holds(self._conditions[argument])
            case "Fn::Not":
                return not self._holds(argument[0])
            case "Fn::Or":
                return any(map(self._holds, argument))
            case "Fn::Equals":
                # CloudFormation compares parameters as text, whatever their type.
                left, right = map(self._resolve, argument)
                return str(left) == str(right)
        raise NotImplementedError(operator)

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            items = map(self._resolve, value)
            return [item for item in items if item is not _ABSENT]
        if not isinstance(value, dict):
            return value
        for key, argument in value.items():
            if key == "Ref" or key.startswith("Fn::"):
                return self._call(key, argument)
        resolved = {key: self._resolve(member) for key, member in value.items()}
        return {key: part for key, part in resolved.items() if part is not _ABSENT}

    def _call(self, function: str, argument: Any) -> Any:
        match function:
            case "Ref":
                return self._refer(argument)
            case "Fn::GetAtt":
                return self._refer(".".join(argument))
            case "Fn::Sub":
                return self._substitute(argument)
            case "Fn::If":
                condition, then, otherwise = argument
                holds = self._holds({"Condition": condition})
                return self._resolve(then if holds else otherwise)
            case "Fn::Select":
                index, options = argument
                return self._resolve(options)[int(index)]
            case "Fn::GetAZs":
                return [f"{REGION}a", f"{REGION}b"]
        raise NotImplementedError(function)

    def _refer(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        resource, _, attribute = name.partition(".")
        return self._names.get(name) or f"{self._names[resource]}.{attribute}"

    def _substitute(self, argument: str | list[Any]) -> str:
        if isinstance(argument, str):
            text, variables = argument, {}
        else:
            text, variables = argument[0], self._resolve(argument[1])

        def value(match: re.Match[str]) -> str:
            name = match[1]
            return str(variables[name] if name in variables else self._refer(name))

        return re.sub(r"\$\{([\w:.]+)\}", value, text)


def as_list(value: Any) -> list[Any]:
    """A list of a value that IAM writes alone or in a list: actions, resources, principals."""
    return value if isinstance(value, list) else [value]
