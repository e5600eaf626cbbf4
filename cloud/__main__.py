"""`python -m cloud`: what make deploy, url, logs and destroy run."""

import os
import sys
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from cloud import config
from cloud import deploy as deployment
from cloud import destroy as destruction
from cloud.shell import CloudError
from cloud.stack import Stack

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
Stage = Annotated[
    str, typer.Option(help="A configuration environment of samconfig.toml")
]


def main() -> None:
    """Run the command line. An error that a person can act on is one line, not a traceback."""
    try:
        app()
    except CloudError as error:
        sys.exit(str(error))
    except NoCredentialsError:
        sys.exit(
            "No AWS credentials were found. Run aws configure or aws sso login, or set AWS_PROFILE."
        )
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS: {error}")


@app.command()
def deploy(stage: Stage = "default") -> None:
    """Build everything, and create or update the stack."""
    deployment.deploy(stage)


@app.command()
def url(stage: Stage = "default") -> None:
    """Print what the stack made, as shell variables."""
    deployment.show(Stack(config.load_settings(stage)))


@app.command()
def logs(stage: Stage = "default") -> None:
    """Follow the logs of the API, the functions and the trainings."""
    groups = Stack(config.load_settings(stage)).log_groups()
    options = [part for group in groups for part in ("--cw-log-group", group)]
    os.execvp("sam", ["sam", "logs", "--config-env", stage, "--tail", *options])  # noqa: S606, S607  found on the PATH


@app.command()
def destroy(stage: Stage = "default") -> None:
    """Delete the stack, and its data only when told so twice."""
    destruction.destroy(stage)


if __name__ == "__main__":
    main()
