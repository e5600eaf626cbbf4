"""samconfig.toml: the settings of each stage."""

import sys
from dataclasses import dataclass
from pathlib import Path

import boto3
import typer

from cloud import sam
from cloud.shell import CloudError

FILE = "samconfig.toml"
TEMPLATE = Path("template.yaml")
TRAINING_TAG = "TrainingTag"
DEFAULT_STAGE = "default"


@dataclass(frozen=True)
class Settings:
    """One stage: a stack in a region of an account.

    Attributes:
        stage: its name in samconfig.toml, where SAM calls a stage a configuration
            environment.
        stack: the stack's name.
        region: of the stack.
        profile: of the AWS configuration; None for the usual search for credentials.
        parameters: every parameter of the template except TrainingTag: the value in
            samconfig.toml, or the default.
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

    @property
    def gpu_spot(self) -> bool:
        """Whether trainings run on EC2 Spot machines."""
        return self.parameters["TrainingCompute"] == "GPU_SPOT"

    def overrides(self, training_tag: str) -> list[str]:
        """All parameters for `sam deploy --parameter-overrides`.

        The option replaces the overrides in samconfig.toml. A parameter that the option
        leaves out keeps its value from the last deployment, so that a line deleted from
        samconfig.toml would have no effect.
        """
        parameters = {**self.parameters, TRAINING_TAG: training_tag}
        return [f'{name}="{value}"' for name, value in parameters.items()]


def load_settings(stage: str) -> Settings:
    """A stage's settings in samconfig.toml.

    Raises:
        CloudError: the file names no stack and region for the stage, or sets a
            parameter that the template does not have.
    """
    saved = sam.Config(FILE).deploy_settings(stage)
    if not saved.get("stack_name") or not saved.get("region"):
        raise CloudError(
            f"{FILE} names no stack and region for '{stage}'. "
            "Run `make deploy` in a terminal, which asks for them."
        )
    return Settings(
        stage,
        saved["stack_name"],
        saved["region"],
        saved.get("profile"),
        _parameters(saved.get("parameter_overrides", [])),
    )


def load_or_ask_settings(stage: str) -> Settings:
    """A stage's settings. Without a saved stack and region, ask for both, and save them.

    `sam deploy --guided` would ask for every parameter, and only after the build, which
    depends on two of the parameters.
    """
    config = sam.Config(FILE)
    saved = config.deploy_settings(stage)
    is_complete = saved.get("stack_name") and saved.get("region")
    if sys.stdin.isatty() and not is_complete:
        _ask(config, stage)
    return load_settings(stage)


def _ask(config: sam.Config, stage: str) -> None:
    config.copy_stage(DEFAULT_STAGE, stage)
    proposal = "digits" if stage == DEFAULT_STAGE else f"digits-{stage}"
    stack = typer.prompt("Stack name", default=proposal)
    region = typer.prompt("AWS region", default=boto3.Session().region_name)
    config.set("global", "stack_name", stack, stage)
    config.set("global", "region", region, stage)
    # `sam delete` looks for uploaded files under this prefix.
    config.set("deploy", "s3_prefix", stack, stage)
    config.save()
    typer.echo(f"Saved in {FILE}. Set the template's parameters there too.")


def _parameters(overrides: object) -> dict[str, str]:
    """The template's parameters: the overrides of samconfig.toml, and the defaults."""
    declared = sam.read_template(TEMPLATE)["Parameters"]
    try:
        overridden = sam.parse_overrides(overrides)
    except CloudError as error:
        raise CloudError(f"{FILE}, parameter_overrides: {error}") from error
    unknown = sorted(overridden.keys() - declared.keys())
    if unknown:
        raise CloudError(
            f"{FILE} sets {', '.join(unknown)}, but {TEMPLATE} has no such parameter. "
            "Correct the name or delete the line."
        )
    parameters = {}
    for name, declaration in declared.items():
        if name in overridden:
            parameters[name] = overridden[name]
        elif "Default" in declaration:
            parameters[name] = str(declaration["Default"])
    parameters.pop(TRAINING_TAG, None)
    return parameters
