"""The stack that template.yaml makes, with the parameters of one's choice: what CloudFormation would create."""

import re
from collections.abc import Callable, Mapping
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
    """Resources and outputs by logical id, every function of the template replaced by its value.

    What refers to a resource is its logical id, and `Bucket.Arn` what refers to an
    attribute, unless `names` says what it is called. A reference to what these
    parameters leave out is a KeyError.

    Args:
        parameters: as for `sam deploy`; the others have their defaults.
        names: of resources (`Bucket`) and their attributes (`Bucket.Arn`).
    """

    def __init__(
        self,
        parameters: Mapping[str, str] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        given = {"TrainingTag": "0f1e2d3c4b5a", **(parameters or {})}
        template = transform(given)
        defaults = {
            name: about.get("Default") for name, about in template["Parameters"].items()
        }
        self._values = defaults | given | _PSEUDO_PARAMETERS
        self._conditions = template["Conditions"]
        there = {
            name: it for name, it in template["Resources"].items() if self._is_there(it)
        }
        self._names = {name: name for name in there} | dict(names or {})
        self.resources: dict[str, dict[str, Any]] = self._resolve(there)
        self.outputs = {
            name: str(self._resolve(it["Value"]))
            for name, it in template["Outputs"].items()
        }

    def properties(self, name: str) -> dict[str, Any]:
        """What a resource is like."""
        found: dict[str, Any] = self.resources[name]["Properties"]
        return found

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of all resources of a type, such as `AWS::S3::Bucket`, by logical id."""
        return {
            name: it.get("Properties", {})
            for name, it in self.resources.items()
            if it["Type"] == kind
        }

    def statements(self, role: str) -> list[dict[str, Any]]:
        """What a role's own policies say, with actions and resources as lists."""
        policies = self.properties(role).get("Policies", [])
        found = [
            statement
            for policy in policies
            for statement in policy["PolicyDocument"]["Statement"]
        ]
        return [
            {**it, **{key: as_list(it[key]) for key in ("Action", "Resource")}}
            for it in found
        ]

    def _is_there(self, resource: Mapping[str, Any]) -> bool:
        return "Condition" not in resource or self._holds(
            {"Condition": resource["Condition"]}
        )

    def _holds(self, condition: Mapping[str, Any]) -> bool:
        ((operator, argument),) = condition.items()
        operators: dict[str, Callable[[Any], bool]] = {
            "Condition": lambda name: self._holds(self._conditions[name]),
            "Fn::Not": lambda negated: not self._holds(negated[0]),
            "Fn::Or": lambda options: any(map(self._holds, options)),
            # A parameter is text for CloudFormation, whatever its type.
            "Fn::Equals": lambda pair: (
                len({str(self._resolve(it)) for it in pair}) == 1
            ),
        }
        return operators[operator](argument)

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [it for it in map(self._resolve, value) if it is not _ABSENT]
        if not isinstance(value, dict):
            return value
        for key, argument in value.items():
            if key == "Ref" or key.startswith("Fn::"):
                return self._call(key, argument)
        resolved = {key: self._resolve(it) for key, it in value.items()}
        return {key: it for key, it in resolved.items() if it is not _ABSENT}

    def _call(self, function: str, argument: Any) -> Any:
        functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._refer,
            "Fn::GetAtt": lambda parts: self._refer(".".join(parts)),
            "Fn::Sub": self._substitute,
            "Fn::If": lambda it: self._resolve(
                it[1] if self._holds({"Condition": it[0]}) else it[2]
            ),
            "Fn::Select": lambda it: self._resolve(it[1])[int(it[0])],
            "Fn::GetAZs": lambda _: [f"{REGION}{zone}" for zone in "ab"],
        }
        return functions[function](argument)

    def _refer(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        resource, _, attribute = name.partition(".")
        return self._names.get(name) or f"{self._names[resource]}.{attribute}"

    def _substitute(self, argument: str | list[Any]) -> str:
        text, variables = (
            (argument, {})
            if isinstance(argument, str)
            else (argument[0], self._resolve(argument[1]))
        )

        def value(match: re.Match[str]) -> str:
            return str(
                variables[match[1]] if match[1] in variables else self._refer(match[1])
            )

        return re.sub(r"\$\{([\w:.]+)\}", value, text)


def as_list(value: Any) -> list[Any]:
    """What may be one or a list of them, as a policy's actions, resources and principals."""
    return value if isinstance(value, list) else [value]
