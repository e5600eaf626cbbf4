"""Builds and deploys everything: the first time as the tenth."""

import re
import shlex
import shutil
import sys

import typer

from cloud import config, shell, training_image
from cloud.stack import Stack

REPOSITORY = "TrainingImages"
# The runtime of template.yaml.
PYTHON = "python3.11"


def deploy(stage: str) -> None:
    """Build, push, and create or update the stack.

    The training image is pushed before a job can name it. A new stack's repository is
    made with the stack, so there the image follows; where that fails, the next
    deployment mends it.
    """
    shell.output("docker", "version", "--format", "{{.Server.Version}}")
    settings = config.load_or_ask_settings(stage)
    stack = Stack(settings)
    typer.echo(
        f"Deploying {settings.stack} to account {stack.account()}, {settings.region}."
    )
    stack.require_deployable()
    repository = stack.outputs().get(REPOSITORY)
    _sam_build(stage)
    tag = training_image.build(gpu=settings.gpu)
    if repository:
        training_image.push(stack.session, repository, tag)
    _sam_deploy(settings, tag)
    if not repository:
        training_image.push(stack.session, stack.require_outputs()[REPOSITORY], tag)
    show(stack)


def show(stack: Stack) -> None:
    """Print what the stack made, as shell variables; how to try it goes to stderr, so that they can be evaluated."""
    outputs = stack.require_outputs()
    curl = outputs.pop("Curl")
    for name, value in {
        "Stack": stack.settings.stack,
        "AwsRegion": stack.settings.region,
        **outputs,
    }.items():
        typer.echo(
            f"export {re.sub(r'(?<=[a-z])(?=[A-Z])', '_', name).upper()}={shlex.quote(value)}"
        )
    typer.echo(f"\nA prediction:\n{curl}", err=True)


def _sam_build(stage: str) -> None:
    # SAM installs a layer's packages with the very Python that will run them.
    container = [] if shutil.which(PYTHON) else ["--use-container"]
    shell.run("sam", "build", "--config-env", stage, *container)


def _sam_deploy(settings: config.Settings, tag: str) -> None:
    # Without a terminal nobody can confirm.
    confirm = [] if sys.stdin.isatty() else ["--no-confirm-changeset"]
    overrides = settings.overrides(tag)
    shell.run(
        "sam",
        "deploy",
        "--config-env",
        settings.stage,
        *confirm,
        "--parameter-overrides",
        *overrides,
    )
