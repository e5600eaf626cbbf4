"""Stands in for `docker`, `sam build` and `sam deploy`: records each call, and changes AWS.

The file lies under the names `docker` and `sam` in a folder on the PATH. Files beside it
say which call fails, and which image `docker build` makes.
"""

import json
import sys
from pathlib import Path

if sys.argv[1] in {"deploy", "push"}:  # The imports take half a second.
    import boto3

    from cloud import sam

HERE = Path(__file__).parent


def main() -> None:
    call = [Path(__file__).name, *sys.argv[1:]]
    with (HERE / "calls").open("a") as calls:
        calls.write(json.dumps(call) + "\n")
    if (HERE / "failing").read_text() == " ".join(call[:2]):
        sys.exit("it cannot")
    match call:
        case ["sam", "deploy", *options]:
            deploy(options)
        case ["docker", "image", "inspect", *_]:
            sys.stdout.write((HERE / "image").read_text())
        case ["docker", "login", *_]:
            (HERE / "password").write_text(sys.stdin.read())
        case ["docker", "push", image]:
            push(*image.split(":"))


def deploy(options: list[str]) -> None:
    stage = options[options.index("--config-env") + 1]
    config = sam.Config("samconfig.toml").deploy_settings(stage)
    overrides = options[options.index("--parameter-overrides") + 1 :]
    parameters = sam.parse_overrides(overrides)
    (HERE / "parameters").write_text(json.dumps(parameters))
    client = boto3.client("cloudformation", region_name=config["region"])
    stacks = client.describe_stacks()["Stacks"]
    tags = {
        stack["StackName"]: stack["Parameters"][0]["ParameterValue"] for stack in stacks
    }
    name, tag = config["stack_name"], parameters["TrainingTag"]
    if tags.get(name) != tag:  # as with --no-fail-on-empty-changeset
        change_stack = client.update_stack if name in tags else client.create_stack
        change_stack(
            StackName=name,
            TemplateBody=(HERE / "template").read_text(),
            Parameters=[{"ParameterKey": "TrainingTag", "ParameterValue": tag}],
        )


def push(repository: str, tag: str) -> None:
    registry, _, name = repository.partition("/")
    media_type = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": media_type, "config": {"digest": tag}}
    )
    client = boto3.client("ecr", region_name=registry.split(".")[3])
    client.put_image(repositoryName=name, imageManifest=manifest, imageTag=tag)


main()
