"""The image that trainings run. SAM builds and pushes functions' images only."""

import base64

import boto3

from cloud import shell

NAME = "digits-training"
SOURCES = (
    "training",
    "layers/shared",
    "requirements",
    "functions/predict/model",
    "example",
)


def build(*, gpu: bool) -> str:
    """Build the image, and return its tag: what it holds, so that a tag is never two images."""
    shell.run(
        *(
            "docker",
            "build",
            "--file",
            "training/Dockerfile",
            "--tag",
            NAME,
            "--platform",
            "linux/amd64",
        ),
        *("--build-arg", f"REQUIREMENTS={'training-gpu' if gpu else 'training'}"),
        *("--build-arg", f"REVISION={_revision()}"),
        ".",
        # BuildKit would put the time of the build into the image, and the same sources
        # would be another one.
        variables={"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
    )
    return shell.output(
        "docker", "image", "inspect", "--format", "{{.Id}}", NAME
    ).removeprefix("sha256:")[:16]


def push(session: boto3.Session, repository: str, tag: str) -> None:
    """Push the image that was built last to a repository, unless the tag is there."""
    ecr = session.client("ecr")
    registry, _, name = repository.partition("/")
    try:
        ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])
    except ecr.exceptions.ImageNotFoundException:
        token = ecr.get_authorization_token()["authorizationData"][0][
            "authorizationToken"
        ]
        user, _, password = base64.b64decode(token).decode().partition(":")
        shell.run(
            "docker",
            "login",
            "--username",
            user,
            "--password-stdin",
            registry,
            stdin=password,
        )
        shell.run("docker", "tag", NAME, f"{repository}:{tag}")
        shell.run("docker", "push", f"{repository}:{tag}")


def _revision() -> str:
    """The last commit that changed what the image is made of, marked if that has changed since."""
    commit = shell.output("git", "log", "-1", "--format=%h", "--", *SOURCES)
    return (
        f"{commit}-dirty"
        if shell.output("git", "status", "--porcelain", "--", *SOURCES)
        else commit
    )
