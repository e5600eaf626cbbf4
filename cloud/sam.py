"""Every part of SAM's own Python code that this project calls, in one place.

SAM documents its commands, and no Python interface, so any release may move a name that
is imported here. All names were there in aws-sam-cli 1.170.0 with aws-sam-translator
1.115.0. Without a name, these stop:

- `SamConfig`, `SamConfigFileReadException` and `CfnParameterOverridesType`: make
  deploy, url, logs and destroy. The replacement would parse samconfig.toml, whose
  format is documented.
- `yaml_parse`: the same, and the tests that read template.yaml. The replacement would
  be a PyYAML loader with CloudFormation's tags.
- `SamTemplateValidator`: make lint-template and scan, and the tests of the stack. AWS'
  samtranslator has the same transform, and documents no interface either.
- The runtime interface emulator: the benchmark in containers. AWS publishes the same
  program at https://github.com/aws/aws-lambda-runtime-interface-emulator.
"""

import copy
import logging
from pathlib import Path
from typing import Any

import click
import samcli
from samcli.cli.types import CfnParameterOverridesType
from samcli.lib.config.exceptions import SamConfigFileReadException
from samcli.lib.config.samconfig import SamConfig
from samcli.lib.translate.sam_template_validator import SamTemplateValidator
from samcli.yamlhelper import yaml_parse

from cloud.shell import CloudError

# The transform warns of its feature toggles, which only AWS can set.
logging.getLogger("samtranslator").setLevel(logging.ERROR)


class Config:
    """A samconfig.toml in the working directory, read and written with SAM's own code.

    Args:
        name: the file's name.

    Raises:
        CloudError: the file cannot be parsed.
    """

    def __init__(self, name: str) -> None:
        try:
            self._file = SamConfig(".", name)
        except SamConfigFileReadException as error:
            raise CloudError(f"{name} cannot be read: {error}") from error

    def deploy_settings(self, stage: str) -> dict[str, Any]:
        """The parameters of `sam deploy` in a stage, those for all commands included."""
        settings: dict[str, Any] = self._file.get_all(["deploy"], "parameters", stage)
        return settings

    def copy_stage(self, source: str, target: str) -> None:
        """Give a new stage the settings of another stage. An existing stage stays as it is."""
        stages = self._file.document
        if target not in stages:
            stages[target] = copy.deepcopy(stages[source])

    def set(self, command: str, name: str, value: str, stage: str) -> None:
        """Set a parameter of a command. `global` stands for all commands."""
        self._file.put([command], "parameters", name, value, stage)

    def save(self) -> None:
        """Write the file. Comments stay where they are."""
        self._file.flush()


def parse_overrides(overrides: object) -> dict[str, str]:
    """The value of `parameter_overrides` by parameter.

    Raises:
        CloudError: the value has none of the forms that SAM accepts.
    """
    parser = CfnParameterOverridesType()
    try:
        parameters: dict[str, str] = parser.convert(overrides, None, None)
    except click.BadParameter as error:
        raise CloudError(error.message) from error
    return parameters


def read_template(path: Path) -> dict[str, Any]:
    """A template, with CloudFormation's short forms (`!Ref x`) written out."""
    template: dict[str, Any] = yaml_parse(path.read_text("utf-8"))
    return template


def transform_template(
    template: dict[str, Any], parameters: dict[str, str], region: str
) -> dict[str, Any]:
    """The template that SAM's transform makes of another template, without an account."""
    # With a loader the transform would look up managed policies by name in an account.
    # No function of the template names a managed policy.
    managed_policies = None
    validator = SamTemplateValidator(
        template, managed_policies, region=region, parameter_overrides=parameters
    )
    transformed: dict[str, Any] = yaml_parse(
        validator.get_translated_template_if_valid()
    )
    return transformed


def emulator(machine: str) -> Path:
    """Lambda's runtime interface emulator for a processor: `x86_64` or `arm64`."""
    return (
        Path(samcli.__file__).parent / "local" / "rapid" / f"aws-lambda-rie-{machine}"
    )
