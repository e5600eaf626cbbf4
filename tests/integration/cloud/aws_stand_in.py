"""Stands in for the AWS CLI: `configure` and `s3` as far as docs/ use them, and any operation."""

import fnmatch
import json
import os
import sys
from pathlib import Path
from typing import Any

import boto3
import jmespath  # type: ignore[import-untyped]
from botocore import xform_name

# Of any service, so clients have no type.
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
    source_bucket, source_key = split(source)
    s3.copy_object(
        CopySource={"Bucket": source_bucket, "Key": source_key},
        Bucket=bucket,
        Key=key,
        MetadataDirective=directive,
    )


def sync(source: str, target: str, pattern: str) -> None:
    s3 = SESSION.client("s3")
    (source_bucket, _), (target_bucket, _) = split(source), split(target)
    for entry in s3.list_objects_v2(Bucket=source_bucket)["Contents"]:
        key = entry["Key"]
        if not fnmatch.fnmatch(key, pattern):
            location = {"Bucket": source_bucket, "Key": key}
            s3.copy_object(CopySource=location, Bucket=target_bucket, Key=key)


def call(service: str, operation: str, options: list[str]) -> None:
    """Call an operation by its name in AWS' service description. An unknown name is an error."""
    client = SESSION.client("s3" if service == "s3api" else service)
    model = client.meta.service_model
    names = {xform_name(name, "-"): name for name in model.operation_names}
    name = names[operation]
    shape = model.operation_model(name).input_shape
    members = {}
    for member, kind in (shape.members if shape else {}).items():
        members[xform_name(member, "-")] = (member, kind)
    query = "@"
    words = iter(options)
    arguments: dict[str, Any] = {}
    for word in words:
        match word.removeprefix("--"):
            case "query":
                query = next(words)
            case "output":
                assert next(words) == "text"
            case option:
                member, kind = members[option]
                is_flag = kind.type_name == "boolean"
                arguments[member] = True if is_flag else value(next(words), kind)
    answer = getattr(client, xform_name(name))(**arguments)
    del answer["ResponseMetadata"]
    write(jmespath.search(query, answer))


def write(result: Any) -> None:
    """Write a result as `--output text` does, or as JSON."""
    if isinstance(result, list):
        result = "\t".join(result)
    if not isinstance(result, str):
        result = json.dumps(result, default=str)
    sys.stdout.write(f"{result}\n")


def value(word: str, shape: Any) -> Any:
    """A string, or a list of one structure in the CLI's shorthand."""
    if shape.type_name != "list":
        return word
    return [dict(pair.split("=", 1) for pair in word.split(","))]


main()
