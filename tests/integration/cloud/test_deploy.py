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


def test_the_first_deployment_pushes_the_image_once_the_stack_has_made_its_repository(
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


def test_a_later_deployment_pushes_the_image_before_a_job_can_name_it(
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


def test_an_image_that_is_there_is_not_pushed_again(checkout: Checkout) -> None:
    checkout.save()
    deploy("default")
    checkout.calls()

    deploy("default")

    assert steps(checkout) == ["sam build", "docker build", "sam deploy"]


def test_the_next_deployment_mends_a_push_that_failed(checkout: Checkout) -> None:
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
def test_nothing_is_deployed_that_was_not_built(
    checkout: Checkout, failing: str
) -> None:
    checkout.save()
    checkout.tell("failing", failing)

    with pytest.raises(CloudError, match=failing):
        deploy("default")

    assert steps(checkout)[-1] == failing


def test_only_a_terminal_is_asked_to_confirm_the_changes(checkout: Checkout) -> None:
    checkout.save()

    deploy("default")
    assert "--no-confirm-changeset" in sam_deploy(checkout)
    checkout.cloud_in_terminal("deploy", answers="")
    assert "--no-confirm-changeset" not in sam_deploy(checkout)


def test_docker_gets_ecrs_password_by_stdin(checkout: Checkout) -> None:
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


def test_the_parameters_are_those_of_samconfig_and_the_templates_defaults(
    checkout: Checkout,
) -> None:
    checkout.save(
        "AlarmEmail=you@example.org",
        "TrainingTag=old",
        'TrainingVcpus="8" PredictRate=5',
    )

    deploy("default")

    found = checkout.deployed()
    given = {
        "AlarmEmail": "you@example.org",
        "TrainingVcpus": "8",
        "PredictRate": "5",
        "TrainingTag": TAG,
    }
    assert found == found | given
    assert found == found | {
        "AwsEndpointUrl": "",
        "LogDays": "30",
        "TrainingCompute": "FARGATE",
    }


@pytest.mark.parametrize(
    ("compute", "requirements"),
    [
        ("FARGATE", "training"),
        ("FARGATE_SPOT", "training"),
        ("GPU", "training-gpu"),
        ("GPU_SPOT", "training-gpu"),
    ],
)
def test_the_image_is_for_what_trainings_run_on(
    checkout: Checkout, compute: str, requirements: str
) -> None:
    checkout.save(f"TrainingCompute={compute}")

    deploy("default")

    assert f"REQUIREMENTS={requirements}" in image_build(checkout)


def test_the_image_knows_its_commit_and_whether_that_is_all(checkout: Checkout) -> None:
    checkout.save()
    commit = checkout.commit("training/job.py")
    checkout.commit("docs.md")
    deploy("default")
    assert f"REVISION={commit}" in image_build(checkout)

    (checkout.folder / "training" / "new.py").touch()
    deploy("default")

    assert f"REVISION={commit}-dirty" in image_build(checkout)


def test_what_is_deployed_is_printed_as_shell_variables(
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
def test_a_stack_that_cannot_be_deployed_is_told_before_anything_is_built(
    checkout: Checkout, status: str
) -> None:
    checkout.create_stack()
    stacks = get_backend("cloudformation")["123456789012"][REGION].stacks
    next(
        stack for stack in stacks.values() if stack.name == checkout.name
    ).status = status

    with pytest.raises(CloudError, match=f"{checkout.name} is {status}"):
        deploy("default")

    assert steps(checkout) == []


def test_docker_that_does_not_run_is_told_before_anything_is_asked(
    checkout: Checkout,
) -> None:
    checkout.tell("failing", "docker version")

    with pytest.raises(CloudError, match=r"^`docker version` failed: it cannot$"):
        deploy("default")


def test_the_first_time_it_asks_where_to_and_saves_the_answers(
    checkout: Checkout,
) -> None:
    status, said = checkout.cloud_in_terminal("deploy", answers=f"{checkout.name}\n\n")

    assert status == 0, said
    saved = tomllib.loads(checkout.config.read_text())["default"]
    assert saved["global"]["parameters"]["stack_name"] == checkout.name
    assert saved["global"]["parameters"]["region"] == REGION
    assert tags(checkout) == {TAG}


def test_another_stage_is_another_stack_with_the_same_settings(
    checkout: Checkout,
) -> None:
    checkout.save("LogDays=7")
    before = tomllib.loads(checkout.config.read_text())["default"]

    status, said = checkout.cloud_in_terminal(
        "deploy", "--stage", "staging", answers=f"{checkout.name}-2\n\n"
    )

    assert status == 0, said
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
    """What was done, in order, less what only looks."""
    found = [" ".join(call[:2]) for call in checkout.calls()]
    return [
        step
        for step in found
        if step not in {"docker version", "docker image", "docker tag"}
    ]


def image_build(checkout: Checkout) -> list[str]:
    """How the training image was built."""
    return next(call for call in checkout.calls() if call[:2] == ["docker", "build"])


def sam_build(checkout: Checkout) -> list[str]:
    """How SAM was called to build."""
    return next(call for call in checkout.calls() if call[:2] == ["sam", "build"])


def sam_deploy(checkout: Checkout) -> list[str]:
    """How SAM was called to deploy."""
    return next(call for call in checkout.calls() if call[:2] == ["sam", "deploy"])


def tags(checkout: Checkout) -> set[str]:
    """Of the images that the stack's repository has."""
    found = boto3.client("ecr", region_name=REGION).list_images(
        repositoryName=checkout.name
    )["imageIds"]
    return {str(image["imageTag"]) for image in found}
