"""Deletes the stack, and its data only when told so twice."""

import sys

import typer

from cloud import config, shell
from cloud.shell import CloudError
from cloud.stack import Stack


def destroy(stage: str) -> None:
    """Ask, and delete the stack. Its bucket is kept, unless a second and a third answer say otherwise."""
    if not sys.stdin.isatty():
        raise CloudError(
            "Nothing was deleted: make destroy asks first, so it needs a terminal."
        )
    settings = config.load_settings(stage)
    stack = Stack(settings)
    if not stack.describe():
        raise CloudError(f"There is no stack {settings.stack} in {settings.region}.")
    bucket = stack.outputs().get("Bucket")
    typer.echo(
        f"This deletes {settings.stack} in {settings.region}, account {stack.account()}: API, keys, images, logs."
    )
    typer.confirm("Delete it?", abort=True)
    with_bucket = bucket is not None and _asked_twice(bucket)
    shell.run("sam", "delete", "--config-env", stage, "--no-prompts")
    if bucket and with_bucket:
        typer.echo(f"Deleting all versions of everything in {bucket}.")
        stack.delete_bucket(bucket)
    elif bucket:
        typer.echo(
            f"Kept: the bucket {bucket} with uploads, datasets, models, releases and jobs."
        )


def _asked_twice(bucket: str) -> bool:
    if not typer.confirm(
        f"Delete the bucket {bucket} as well, with all datasets and models, for ever?"
    ):
        return False
    return (
        str(typer.prompt("Then type its name", default="", show_default=False))
        == bucket
    )
