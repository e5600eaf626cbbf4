"""The API and the functions in template.yaml, so that local and deployed routes are the same."""

from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

from digits.errors import DigitsError

FUNCTION = "AWS::Serverless::Function"
API = "AWS::Serverless::Api"
# Lambda's default memory.
MEMORY_MIB = 128


class TemplateError(DigitsError):
    """The template cannot be read, or lacks a property that running a function needs."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    slug = "invalid-template"
    title = "Invalid template"


@dataclass(frozen=True)
class Function:
    """A Lambda function.

    Attributes:
        name: the logical id.
        folder: of the code, relative to the template.
        handler: `module.function`.
        memory: in MiB.
        variables: the environment variables with literal values.
    """

    name: str
    folder: str
    handler: str
    memory: int
    variables: dict[str, str]


@dataclass(frozen=True)
class Route:
    """A method of a path of the API.

    Attributes:
        method: such as GET. ANY is every method.
        path: with parameters as `{name}`.
        function: the logical id.
    """

    method: str
    path: str
    function: str


@dataclass(frozen=True)
class Template:
    """A SAM template.

    Attributes:
        functions: by logical id.
        routes: of the API.
        binary_media_types: content types whose bodies are base64-encoded in events.
    """

    functions: dict[str, Function]
    routes: list[Route]
    binary_media_types: frozenset[str]

    def function_in(self, folder: str) -> Function:
        """The function whose code is in a folder.

        Raises:
            TemplateError: no function has its code in the folder.
        """
        for function in self.functions.values():
            if function.folder == folder:
                return function
        raise TemplateError(f"The template has no function with its code in {folder}.")


def read_template(path: Path) -> Template:
    """Read a SAM template.

    Raises:
        TemplateError: the file is missing or not YAML, or a function has no code.
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
    """Reads scalars as strings, and CloudFormation's short form `!Ref x` as `{"Ref": x}`."""


def _long_form(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.MappingNode):
        return {tag: loader.construct_mapping(node, deep=True)}
    if isinstance(node, yaml.SequenceNode):
        return {tag: loader.construct_sequence(node, deep=True)}
    return {tag: node.value}


_Loader.add_multi_constructor("!", _long_form)


def _template(resources: dict[str, Any], shared: dict[str, Any]) -> Template:
    shared_of_functions = shared.get("Function", {})
    shared_of_apis = shared.get("Api", {})
    functions: dict[str, Function] = {}
    routes: list[Route] = []
    media_types = list(shared_of_apis.get("BinaryMediaTypes", []))
    for name, resource in resources.items():
        if resource["Type"] == FUNCTION:
            functions[name] = _function(name, resource, shared_of_functions)
            routes += _routes(name, resource["Properties"])
        elif resource["Type"] == API:
            properties = resource.get("Properties", {})
            media_types += properties.get("BinaryMediaTypes", [])
    # SAM writes the slash as in a JSON pointer.
    binary = [media_type.replace("~1", "/").lower() for media_type in media_types]
    return Template(functions, routes, frozenset(binary))


def _function(name: str, resource: dict[str, Any], shared: dict[str, Any]) -> Function:
    properties = shared | resource["Properties"]
    if properties.get("PackageType") == "Image":
        metadata = resource["Metadata"]
        folder = Path(metadata["DockerContext"], metadata["Dockerfile"]).parent
        handler = properties["ImageConfig"]["Command"][0]
    else:
        folder = Path(properties["CodeUri"])
        handler = properties["Handler"]
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
    routes = []
    for event in properties.get("Events", {}).values():
        if event["Type"] == "Api":
            source = event["Properties"]
            routes.append(Route(source["Method"].upper(), source["Path"], function))
    return routes
