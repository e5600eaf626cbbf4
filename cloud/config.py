"""samconfig.toml: what is deployed where. Read and written with SAM's own code, so that both see the same in it."""

import copy
import sys
from dataclasses import dataclass

import boto3
import click
import typer
from samcli.cli.types import CfnParameterOverridesType
from samcli.commands._utils.template import get_template_parameters
from samcli.lib.config.exceptions import SamConfigFileReadException
from samcli.lib.config.samconfig import SamConfig

from cloud.shell import CloudError

FILE = "samconfig.toml"
TEMPLATE = "template.yaml"
TRAINING_TAG = "TrainingTag"


@dataclass(frozen=True)
class Settings:
    """One stage: a stack in a region of an account.

    Attributes:
        stage: its name in samconfig.toml, which SAM calls a configuration environment.
        stack: the stack's name.
        region: where the stack is.
        profile: of the AWS configuration; None for the usual search for credentials.
        parameters: every parameter of the template but TrainingTag: samconfig.toml's
            value, else the default.
    """

    stage: str
    stack: str
    region: str
    profile: str | None
    parameters: dict[str, str]

    @property
    def gpu(self) -> bool:
        """Whether trainings run on GPUs."""
        return self.parameters["TrainingCompute"].startswith("GPU")

    def overrides(self, training_tag: str) -> list[str]:
        """All parameters for `sam deploy --parameter-overrides`.

        SAM takes them in place of samconfig.toml's, and leaves a parameter that is not
        named as it was at the last deployment: only naming all makes the file the whole
        truth.
        """
        return [
            f'{name}="{value}"'
            for name, value in {**self.parameters, TRAINING_TAG: training_tag}.items()
        ]


def load_settings(stage: str) -> Settings:
    """A stage as it was saved.

    Raises:
        CloudError: it never was, or it sets what the template does not have.
    """
    saved = _read().get_all(["deploy"], "parameters", stage)
    if not saved.get("stack_name") or not saved.get("region"):
        raise CloudError(
            f"{FILE} names no stack and region for '{stage}': make deploy asks for them in a terminal."
        )
    return Settings(
        stage,
        saved["stack_name"],
        saved["region"],
        saved.get("profile"),
        _parameters(saved),
    )


def load_or_ask_settings(stage: str) -> Settings:
    """A stage as it was saved; if it never was, ask for the stack's name and region, and save them.

    `sam deploy --guided` would ask for every parameter, and only after the build, which
    depends on two of them.
    """
    file = _read()
    saved = file.get_all(["deploy"], "parameters", stage)
    if sys.stdin.isatty() and not (saved.get("stack_name") and saved.get("region")):
        _ask(file, stage)
    return load_settings(stage)


def _read() -> SamConfig:
    try:
        return SamConfig(".", FILE)
    except SamConfigFileReadException as error:
        raise CloudError(f"{FILE} cannot be read: {error}") from error


def _ask(file: SamConfig, stage: str) -> None:
    if stage not in file.document:
        file.document[stage] = copy.deepcopy(file.document["default"])
    stack = typer.prompt(
        "Stack name", default="digits" if stage == "default" else f"digits-{stage}"
    )
    region = typer.prompt("AWS region", default=boto3.Session().region_name)
    file.put(["global"], "parameters", "stack_name", stack, stage)
    file.put(["global"], "parameters", "region", region, stage)
    # Where `sam delete` looks for what was uploaded.
    file.put(["deploy"], "parameters", "s3_prefix", stack, stage)
    file.flush()
    typer.echo(f"Saved in {FILE}, where the template's parameters are set as well.")


def _parameters(saved: dict[str, object]) -> dict[str, str]:
    known = get_template_parameters(TEMPLATE)
    try:
        given = CfnParameterOverridesType().convert(
            saved.get("parameter_overrides", []), None, None
        )
    except click.BadParameter as error:
        raise CloudError(f"{FILE}, parameter_overrides: {error.message}") from error
    if unknown := ", ".join(sorted(set(given) - set(known))):
        raise CloudError(
            f"{FILE} sets {unknown}, but {TEMPLATE} has no such parameter."
        )
    defaults = {
        name: str(about["Default"])
        for name, about in known.items()
        if "Default" in about
    }
    return {
        name: value
        for name, value in {**defaults, **given}.items()
        if name != TRAINING_TAG
    }
