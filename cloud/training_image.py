"""The container image of trainings. SAM builds and pushes the images of functions only."""

import base64

import boto3

from cloud import shell

NAME = "digits-training"
# Everything that training/Dockerfile copies.
SOURCES = (
    "training",
    "layers/shared",
    "requirements",
    "functions/predict/model",
    "example",
)
# Of the 64 hexadecimal digits of the image's SHA-256: enough to tell all images apart.
TAG_CHARACTERS = 16


def build(*, gpu: bool) -> str:
    """Build the image.

    Returns:
        The image's tag, made from its content: one tag never names two images.
    """
    requirements = "training-gpu" if gpu else "training"
    command = ["docker", "build", "--file", "training/Dockerfile", "--tag", NAME]
    command += ["--platform", "linux/amd64"]
    command += ["--build-arg", f"REQUIREMENTS={requirements}"]
    command += ["--build-arg", f"REVISION={_revision()}"]
    # BuildKit's attestations hold the time of the build, and would give the same
    # sources another tag.
    variables = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    shell.run(*command, ".", variables=variables)
    image_id = shell.output("docker", "image", "inspect", "--format", "{{.Id}}", NAME)
    return image_id.removeprefix("sha256:")[:TAG_CHARACTERS]


def push(session: boto3.Session, repository: str, tag: str) -> None:
    """Push the last image that was built, unless the repository has the tag."""
    ecr = session.client("ecr")
    registry, _, name = repository.partition("/")
    try:
        ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])
    except ecr.exceptions.ImageNotFoundException:
        authorization = ecr.get_authorization_token()["authorizationData"][0]
        token = base64.b64decode(authorization["authorizationToken"]).decode()
        user, _, password = token.partition(":")
        login = ["docker", "login", "--username", user, "--password-stdin", registry]
        shell.run(*login, stdin=password)
        shell.run("docker", "tag", NAME, f"{repository}:{tag}")
        shell.run("docker", "push", f"{repository}:{tag}")


def _revision() -> str:
    """The last commit that changed a source of the image, marked if a source has changed since."""
    commit = shell.output("git", "log", "-1", "--format=%h", "--", *SOURCES)
    changes = shell.output("git", "status", "--porcelain", "--", *SOURCES)
    return f"{commit}-dirty" if changes else commit
