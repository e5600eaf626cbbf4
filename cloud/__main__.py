"""`python -m cloud`: the command line behind `make deploy`, `url`, `logs` and `destroy`."""

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
Stage = Annotated[str, typer.Option(help="Configuration environment of samconfig.toml")]


def main() -> None:
    """Run the command line. An expected error is one line on stderr, without a traceback."""
    try:
        app()
    except CloudError as error:
        sys.exit(str(error))
    except NoCredentialsError:
        sys.exit(
            "No AWS credentials were found. "
            "Run `aws configure` or `aws sso login`, or set AWS_PROFILE."
        )
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS: {error}")


@app.command()
def deploy(stage: Stage = "default") -> None:
    """Build everything, and create or update the stack."""
    deployment.deploy(stage)


@app.command()
def url(stage: Stage = "default") -> None:
    """Print the stack's outputs as shell variables."""
    deployment.print_outputs(Stack(config.load_settings(stage)))


@app.command()
def logs(stage: Stage = "default") -> None:
    """Follow the logs of the API, the functions and the trainings."""
    command = ["sam", "logs", "--config-env", stage, "--tail"]
    for group in Stack(config.load_settings(stage)).log_groups():
        command += ["--cw-log-group", group]
    os.execvp(command[0], command)  # noqa: S606  found on the PATH


@app.command()
def destroy(stage: Stage = "default") -> None:
    """Delete the stack, and its data only after two further answers."""
    destruction.destroy(stage)


if __name__ == "__main__":
    main()
