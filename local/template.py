"""What template.yaml says of the API and its functions, so that local and deployed routes cannot differ."""

from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

from digits.errors import DigitsError

FUNCTION = "AWS::Serverless::Function"
API = "AWS::Serverless::Api"
# Lambda's default.
MEMORY_MIB = 128


class TemplateError(DigitsError):
    """The template cannot be read, or leaves out what is needed to run a function."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    slug = "invalid-template"
    title = "Invalid template"


@dataclass(frozen=True)
class Function:
    """A Lambda function.

    Attributes:
        name: its logical id.
        folder: where its code is, relative to the template.
        handler: `module.function`.
        memory: MiB.
        variables: its environment variables, those that are literals.
    """

    name: str
    folder: str
    handler: str
    memory: int
    variables: dict[str, str]


@dataclass(frozen=True)
class Route:
    """One method of one path of the API. The method ANY stands for all; a path has parameters as `{name}`."""

    method: str
    path: str
    function: str


@dataclass(frozen=True)
class Template:
    """The functions by logical id, the API's routes, and the media types whose bodies arrive base64-encoded."""

    functions: dict[str, Function]
    routes: list[Route]
    binary_media_types: frozenset[str]

    def function_in(self, folder: str) -> Function:
        """The function whose code is in `folder`.

        Raises:
            TemplateError: there is none.
        """
        for function in self.functions.values():
            if function.folder == folder:
                return function
        raise TemplateError(f"The template has no function whose code is in {folder}.")


def read_template(path: Path) -> Template:
    """Read a SAM template.

    Raises:
        TemplateError: it is not there, not YAML, or a function has no code.
    """
    try:
        document = _Loader(path.read_text("utf-8")).get_single_data()
        return _template(document["Resources"], document.get("Globals", {}))
    except (OSError, yaml.YAMLError) as error:
        raise TemplateError(f"{path} cannot be read: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TemplateError(
            f"{path} is not a SAM template that can be run: {error!r}."
        ) from error


class _Loader(yaml.BaseLoader):
    """Reads every scalar as a string, and CloudFormation's short form (`!Ref x`) as the long one (`{"Ref": x}`)."""


def _long_form(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.MappingNode):
        return {tag: loader.construct_mapping(node, deep=True)}
    if isinstance(node, yaml.SequenceNode):
        return {tag: loader.construct_sequence(node, deep=True)}
    return {tag: node.value}


_Loader.add_multi_constructor("!", _long_form)


def _template(resources: dict[str, Any], shared: dict[str, Any]) -> Template:
    functions = {
        name: resource
        for name, resource in resources.items()
        if resource["Type"] == FUNCTION
    }
    apis = [
        resource.get("Properties", {})
        for resource in resources.values()
        if resource["Type"] == API
    ]
    media_types = {
        kind
        for api in [shared.get("Api", {}), *apis]
        for kind in api.get("BinaryMediaTypes", [])
    }
    return Template(
        functions={
            name: _function(name, it, shared.get("Function", {}))
            for name, it in functions.items()
        },
        routes=[
            route
            for name, it in functions.items()
            for route in _routes(name, it["Properties"])
        ],
        # SAM's way to write a slash inside a JSON pointer.
        binary_media_types=frozenset(
            kind.replace("~1", "/").lower() for kind in media_types
        ),
    )


def _function(name: str, resource: dict[str, Any], shared: dict[str, Any]) -> Function:
    properties = shared | resource["Properties"]
    if properties.get("PackageType") == "Image":
        metadata = resource["Metadata"]
        folder = Path(metadata["DockerContext"], metadata["Dockerfile"]).parent
        handler = properties["ImageConfig"]["Command"][0]
    else:
        folder, handler = Path(properties["CodeUri"]), properties["Handler"]
    return Function(
        name=name,
        folder=folder.as_posix(),
        handler=handler,
        memory=int(properties.get("MemorySize", MEMORY_MIB)),
        variables=_literals(shared) | _literals(resource["Properties"]),
    )


def _literals(properties: dict[str, Any]) -> dict[str, str]:
    variables = properties.get("Environment", {}).get("Variables", {})
    return {name: value for name, value in variables.items() if isinstance(value, str)}


def _routes(function: str, properties: dict[str, Any]) -> list[Route]:
    events = [
        event["Properties"]
        for event in properties.get("Events", {}).values()
        if event["Type"] == "Api"
    ]
    return [Route(event["Method"].upper(), event["Path"], function) for event in events]
