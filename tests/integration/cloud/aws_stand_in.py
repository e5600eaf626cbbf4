"""Stands for `aws`, the AWS CLI: its commands `configure` and `s3` as far as docs/ use them, and any operation."""

import fnmatch
import json
import os
import sys
from pathlib import Path
from typing import Any

import boto3
import jmespath  # type: ignore[import-untyped]
from botocore import xform_name

# Whatever service the reader asks for.
SESSION: Any = boto3.Session()
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def main() -> None:
    match sys.argv[1:]:
        case ["configure", "sso", "--profile", name]:
            Path(os.environ["AWS_CONFIG_FILE"]).write_text(f"[profile {name}]\n")
        case ["configure", "export-credentials", "--format", "env"]:
            sys.stdout.writelines(
                f"export {name}={os.environ[name]}\n" for name in CREDENTIALS
            )
        case ["s3", "cp", source, target, *options]:
            copy(source, target, options)
        case ["s3", "sync", source, target, "--exclude", pattern]:
            sync(source, target, pattern)
        case [service, operation, *options]:
            call(service, operation, options)


def split(url: str) -> tuple[str, str]:
    """The bucket and the key of s3://bucket/key."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def copy(source: str, target: str, options: list[str]) -> None:
    s3 = SESSION.client("s3")
    bucket, key = split(target)
    if not source.startswith("s3://"):
        s3.upload_file(source, bucket, key)
        return
    directive = options[options.index("--metadata-directive") + 1]
    found = dict(zip(("Bucket", "Key"), split(source), strict=True))
    s3.copy_object(
        CopySource=found, Bucket=bucket, Key=key, MetadataDirective=directive
    )


def sync(source: str, target: str, pattern: str) -> None:
    s3 = SESSION.client("s3")
    for entry in s3.list_objects_v2(Bucket=split(source)[0])["Contents"]:
        if not fnmatch.fnmatch(entry["Key"], pattern):
            found = {"Bucket": split(source)[0], "Key": entry["Key"]}
            s3.copy_object(CopySource=found, Bucket=split(target)[0], Key=entry["Key"])


def call(service: str, operation: str, options: list[str]) -> None:
    """An operation by the names that AWS' own description of it has; a name that it lacks is an error."""
    client = SESSION.client("s3" if service == "s3api" else service)
    model = client.meta.service_model
    name = {xform_name(name, "-"): name for name in model.operation_names}[operation]
    known = model.operation_model(name).input_shape
    members = (
        {xform_name(name, "-"): (name, shape) for name, shape in known.members.items()}
        if known
        else {}
    )
    query, words = "@", iter(options)
    arguments: dict[str, Any] = {}
    for word in words:
        match word.removeprefix("--"):
            case "query":
                query = next(words)
            case "output":
                assert next(words) == "text"
            case option:
                member, shape = members[option]
                arguments[member] = (
                    True if shape.type_name == "boolean" else value(next(words), shape)
                )
    answer = getattr(client, xform_name(name))(**arguments)
    del answer["ResponseMetadata"]
    found = jmespath.search(query, answer)
    text = "\t".join(found) if isinstance(found, list) else found
    sys.stdout.write(
        f"{text if isinstance(text, str) else json.dumps(text, default=str)}\n"
    )


def value(word: str, shape: Any) -> Any:
    """A string, or the CLI's shorthand for a list with one structure."""
    if shape.type_name != "list":
        return word
    return [dict(pair.split("=", 1) for pair in word.split(","))]


main()
