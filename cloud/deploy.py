"""`make deploy`: builds everything, and creates or updates the stack."""

import re
import shlex
import shutil
import sys

import typer

from cloud import config, shell, training_image
from cloud.service_roles import create_service_roles
from cloud.sizes import check_sizes
from cloud.stack import Stack

REPOSITORY = "TrainingImages"
# The runtime of the zip functions in template.yaml.
PYTHON = "python3.11"


def deploy(stage: str) -> None:
    """Build, push, and create or update the stack.

    The training image is pushed before a job definition can name the image. The first
    deployment creates the repository with the stack, and pushes afterwards. When that
    push fails, the next deployment pushes again.
    """
    # Fail now if Docker does not run, and not after the questions and the build.
    shell.output("docker", "version", "--format", "{{.Server.Version}}")
    settings = config.load_or_ask_settings(stage)
    check_sizes(settings.parameters)
    stack = Stack(settings)
    account = stack.account()
    typer.echo(f"Deploying {settings.stack} to account {account}, {settings.region}.")
    stack.require_deployable()
    create_service_roles(stack.session, gpu_spot=settings.gpu_spot)
    repository = stack.outputs().get(REPOSITORY)
    _sam_build(stage)
    tag = training_image.build(gpu=settings.gpu)
    if repository:
        training_image.push(stack.session, repository, tag)
    _sam_deploy(settings, tag)
    if not repository:
        repository = stack.require_outputs()[REPOSITORY]
        training_image.push(stack.session, repository, tag)
    print_outputs(stack)


def print_outputs(stack: Stack) -> None:
    """Print the stack's outputs as shell variables.

    The example command goes to stderr, so that a shell can evaluate stdout.
    """
    outputs = stack.require_outputs()
    curl = outputs.pop("Curl")
    names = {"Stack": stack.settings.stack, "AwsRegion": stack.settings.region}
    for name, value in {**names, **outputs}.items():
        variable = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()
        typer.echo(f"export {variable}={shlex.quote(value)}")
    typer.echo(f"\nTry a prediction:\n{curl}", err=True)


def _sam_build(stage: str) -> None:
    # SAM installs a layer's packages with the Python that runs them on Lambda.
    container = [] if shutil.which(PYTHON) else ["--use-container"]
    shell.run("sam", "build", "--config-env", stage, *container)


def _sam_deploy(settings: config.Settings, tag: str) -> None:
    command = ["sam", "deploy", "--config-env", settings.stage]
    if not sys.stdin.isatty():
        # Without a terminal nobody can confirm the changes.
        command.append("--no-confirm-changeset")
    shell.run(*command, "--parameter-overrides", *settings.overrides(tag))
