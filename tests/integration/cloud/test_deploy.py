"""The steps of `make deploy`: their order and their arguments."""

import shutil
import sys
import tomllib

import boto3
import pytest
from moto.backends import get_backend

from cloud.deploy import deploy
from cloud.shell import CloudError
from tests.integration.cloud.conftest import REGION, Checkout

pytestmark = pytest.mark.long

OTHER_IMAGE = f"sha256:{'2b' * 32}"
TAG, OTHER_TAG = "1a" * 8, "2b" * 8


def test_the_first_deployment_pushes_the_image_after_the_stack_is_created(
    checkout: Checkout,
) -> None:
    checkout.save()

    deploy("default")

    assert steps(checkout) == [
        "sam build",
        "docker build",
        "sam deploy",
        "docker login",
        "docker push",
    ]
    assert tags(checkout) == {checkout.deployed()["TrainingTag"]}


def test_a_later_deployment_pushes_the_image_before_the_stack_is_updated(
    checkout: Checkout,
) -> None:
    checkout.save()
    deploy("default")
    checkout.calls()

    checkout.tell("image", OTHER_IMAGE)
    deploy("default")

    assert steps(checkout) == [
        "sam build",
        "docker build",
        "docker login",
        "docker push",
        "sam deploy",
    ]
    assert checkout.deployed()["TrainingTag"] == OTHER_TAG
    assert tags(checkout) == {TAG, OTHER_TAG}


def test_an_unchanged_image_is_not_pushed_again(checkout: Checkout) -> None:
    checkout.save()
    deploy("default")
    checkout.calls()

    deploy("default")

    assert steps(checkout) == ["sam build", "docker build", "sam deploy"]


def test_the_next_deployment_repeats_a_failed_push(checkout: Checkout) -> None:
    checkout.save()
    checkout.tell("failing", "docker push")
    with pytest.raises(CloudError, match="docker push"):
        deploy("default")
    assert tags(checkout) == set()
    checkout.calls()

    checkout.tell("failing", "nothing")
    deploy("default")

    assert steps(checkout) == [
        "sam build",
        "docker build",
        "docker login",
        "docker push",
        "sam deploy",
    ]
    assert tags(checkout) == {checkout.deployed()["TrainingTag"]}


def test_sam_builds_in_a_container_where_lambdas_python_is_missing(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.save()
    (checkout.tools / "git").symlink_to(shutil.which("git") or "git")
    monkeypatch.setenv("PATH", str(checkout.tools))

    deploy("default")
    assert "--use-container" in sam_build(checkout)
    (checkout.tools / "python3.11").symlink_to(sys.executable)
    deploy("default")
    assert "--use-container" not in sam_build(checkout)


@pytest.mark.parametrize("failing", ["sam build", "docker build"])
def test_a_failed_build_ends_the_deployment(checkout: Checkout, failing: str) -> None:
    checkout.save()
    checkout.tell("failing", failing)

    with pytest.raises(CloudError, match=failing):
        deploy("default")

    assert steps(checkout)[-1] == failing


def test_changes_are_confirmed_only_in_a_terminal(checkout: Checkout) -> None:
    checkout.save()

    deploy("default")
    assert "--no-confirm-changeset" in sam_deploy(checkout)
    checkout.cloud_in_terminal("deploy", answers="")
    assert "--no-confirm-changeset" not in sam_deploy(checkout)


def test_docker_gets_the_password_of_ecr_on_stdin(checkout: Checkout) -> None:
    checkout.save()
    deploy("default")

    host = f"123456789012.dkr.ecr.{REGION}.amazonaws.com"
    assert [
        "docker",
        "login",
        "--username",
        "AWS",
        "--password-stdin",
        host,
    ] in checkout.calls()
    assert (checkout.tools / "password").read_text() == "123456789012-auth-token"


def test_parameters_come_from_samconfig_and_from_the_defaults_of_the_template(
    checkout: Checkout,
) -> None:
    checkout.save(
        "AlarmEmail=you@example.org",
        "TrainingTag=old",
        'TrainingVcpus="2" PredictRate=5',
    )

    deploy("default")

    deployed = checkout.deployed()
    saved = {
        "AlarmEmail": "you@example.org",
        "TrainingVcpus": "2",
        "PredictRate": "5",
    }
    defaults = {
        "AwsEndpointUrl": "",
        "LogDays": "30",
        "TrainingCompute": "FARGATE",
    }
    assert deployed["TrainingTag"] == TAG
    assert saved.items() <= deployed.items()
    assert defaults.items() <= deployed.items()


@pytest.mark.parametrize(
    ("compute", "requirements"),
    [
        ("FARGATE", "training"),
        ("FARGATE_SPOT", "training"),
        ("GPU", "training-gpu"),
        ("GPU_SPOT", "training-gpu"),
    ],
)
def test_the_image_has_the_requirements_of_the_compute_environment(
    checkout: Checkout, compute: str, requirements: str
) -> None:
    checkout.save(f"TrainingCompute={compute}")

    deploy("default")

    assert f"REQUIREMENTS={requirements}" in image_build(checkout)


def test_the_image_knows_its_commit_and_uncommitted_changes(checkout: Checkout) -> None:
    checkout.save()
    commit = checkout.commit("training/job.py")
    checkout.commit("docs.md")
    deploy("default")
    assert f"REVISION={commit}" in image_build(checkout)

    (checkout.folder / "training" / "new.py").touch()
    deploy("default")

    assert f"REVISION={commit}-dirty" in image_build(checkout)


def test_outputs_are_printed_as_shell_variables(
    checkout: Checkout, capfd: pytest.CaptureFixture[str]
) -> None:
    checkout.save()
    deploy("default")

    printed = capfd.readouterr()
    assert "export URL=https://api.test/v1\n" in printed.out
    assert "export API_KEY='a b'\n" in printed.out
    assert f"export AWS_REGION={REGION}\n" in printed.out
    assert 'curl -H "x-api-key: $(aws)" https://api.test/v1/predict\n' in printed.err


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS"])
def test_a_stack_that_cannot_be_deployed_is_reported_before_the_build(
    checkout: Checkout, status: str
) -> None:
    checkout.create_stack()
    stacks = get_backend("cloudformation")["123456789012"][REGION].stacks
    (stack,) = [stack for stack in stacks.values() if stack.name == checkout.name]
    stack.status = status

    with pytest.raises(CloudError, match=f"{checkout.name} is {status}"):
        deploy("default")

    assert steps(checkout) == []


def test_a_stopped_docker_is_reported_before_the_first_question(
    checkout: Checkout,
) -> None:
    checkout.tell("failing", "docker version")

    with pytest.raises(CloudError, match=r"^`docker version` failed: it cannot$"):
        deploy("default")


def test_the_first_deployment_asks_for_stack_and_region_and_saves_both(
    checkout: Checkout,
) -> None:
    status, output = checkout.cloud_in_terminal(
        "deploy", answers=f"{checkout.name}\n\n"
    )

    assert status == 0, output
    saved = tomllib.loads(checkout.config.read_text())["default"]
    assert saved["global"]["parameters"]["stack_name"] == checkout.name
    assert saved["global"]["parameters"]["region"] == REGION
    assert tags(checkout) == {TAG}


def test_another_stage_is_another_stack_with_the_same_settings(
    checkout: Checkout,
) -> None:
    checkout.save("LogDays=7")
    before = tomllib.loads(checkout.config.read_text())["default"]

    status, output = checkout.cloud_in_terminal(
        "deploy", "--stage", "staging", answers=f"{checkout.name}-2\n\n"
    )

    assert status == 0, output
    saved = tomllib.loads(checkout.config.read_text())
    assert saved["default"] == before
    assert saved["staging"]["global"]["parameters"] == {
        "parameter_overrides": ["LogDays=7"],
        "stack_name": f"{checkout.name}-2",
        "region": REGION,
    }
    assert saved["staging"]["build"] == before["build"]
    assert checkout.deployed()["LogDays"] == "7"


def steps(checkout: Checkout) -> list[str]:
    """The commands that were run, in order, without those that change nothing remote."""
    commands = [" ".join(call[:2]) for call in checkout.calls()]
    minor = {"docker version", "docker image", "docker tag"}
    return [command for command in commands if command not in minor]


def image_build(checkout: Checkout) -> list[str]:
    """The command that built the training image."""
    return call_of(checkout, "docker", "build")


def sam_build(checkout: Checkout) -> list[str]:
    """The command that built the functions."""
    return call_of(checkout, "sam", "build")


def sam_deploy(checkout: Checkout) -> list[str]:
    """The command that deployed the stack."""
    return call_of(checkout, "sam", "deploy")


def call_of(checkout: Checkout, *command: str) -> list[str]:
    return next(call for call in checkout.calls() if call[:2] == [*command])


def tags(checkout: Checkout) -> set[str]:
    """The tags of the images in the stack's repository."""
    client = boto3.client("ecr", region_name=REGION)
    images = client.list_images(repositoryName=checkout.name)["imageIds"]
    return {str(image["imageTag"]) for image in images}
