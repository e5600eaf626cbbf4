"""`make destroy`: deletes the stack, and the data only after two further answers."""

import sys

import typer

from cloud import config, shell
from cloud.shell import CloudError
from cloud.stack import Stack


def destroy(stage: str) -> None:
    """Ask, and delete the stack.

    The bucket is deleted only if the user confirms a second time, and types its name.

    Raises:
        CloudError: there is no terminal to ask in, or no stack.
    """
    if not sys.stdin.isatty():
        raise CloudError(
            "Nothing was deleted: `make destroy` needs a terminal to ask first."
        )
    settings = config.load_settings(stage)
    stack = Stack(settings)
    if not stack.describe():
        raise CloudError(f"There is no stack {settings.stack} in {settings.region}.")
    bucket = stack.outputs().get("Bucket")
    typer.echo(
        f"This deletes the stack {settings.stack} in {settings.region}, "
        f"account {stack.account()}: API, keys, images and logs."
    )
    typer.confirm("Delete the stack?", abort=True)
    delete_bucket = bucket is not None and _confirm_bucket(bucket)
    shell.run("sam", "delete", "--config-env", stage, "--no-prompts")
    if bucket and delete_bucket:
        typer.echo(f"Deleting all versions of all objects in {bucket}.")
        stack.delete_bucket(bucket)
    elif bucket:
        typer.echo(
            f"Kept: the bucket {bucket} with uploads, datasets, models, releases and jobs."
        )


def _confirm_bucket(bucket: str) -> bool:
    if not typer.confirm(
        f"Delete the bucket {bucket} with all datasets and models forever?"
    ):
        return False
    name = typer.prompt("Type the bucket's name", default="", show_default=False)
    return str(name) == bucket
