"""`python -m cloud`, in a process of its own: its errors are one line, and it deletes nothing unasked."""

import os
import subprocess
import sys
import time

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.integration.cloud.conftest import REGION, SECONDS, Checkout

# S3 lists and deletes a thousand at a time.
VERSIONS = 1005


def test_url_prints_what_a_shell_can_evaluate(checkout: Checkout) -> None:
    bucket = checkout.create_stack()

    printed = checkout.cloud("url").stdout

    script = f'{printed}\necho "$API_KEY $BUCKET $STACK"'
    assert (
        subprocess.check_output(["/bin/sh", "-c", script], text=True)
        == f"a b {bucket} {checkout.name}\n"
    )


def test_logs_follows_every_log_group_of_the_stack(checkout: Checkout) -> None:
    checkout.create_stack()
    checkout.use_real_sam()
    client = boto3.client("logs", region_name=REGION)
    for group in client.describe_log_groups(logGroupNamePrefix=checkout.name)[
        "logGroups"
    ]:
        client.create_log_stream(
            logGroupName=group["logGroupName"], logStreamName="stream"
        )
        event = {
            "timestamp": int(time.time() * 1000),
            "message": group["logGroupName"].split("-")[2],
        }
        client.put_log_events(
            logGroupName=group["logGroupName"],
            logStreamName="stream",
            logEvents=[event],
        )

    following = subprocess.Popen(
        [sys.executable, "-m", "cloud", "logs"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert following.stdout
        lines = [following.stdout.readline(), following.stdout.readline()]
    finally:
        following.terminate()
        following.communicate(timeout=SECONDS)
    assert sorted(line.split()[-1] for line in lines) == ["TrainLogs", "TrainingLogs"]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        pytest.param("y\nn\n", "Kept", id="asked once"),
        pytest.param("y\ny\nsomething else\n", "Kept", id="asked twice and not meant"),
        pytest.param("y\ny\n{bucket}\n", "Deleting all versions", id="asked twice"),
    ],
)
def test_destroy_deletes_the_bucket_only_when_asked_twice(
    checkout: Checkout, answers: str, told: str
) -> None:
    bucket = checkout.create_stack()
    checkout.use_real_sam()
    s3 = boto3.client("s3", region_name=REGION)
    for _ in range(2):
        s3.put_object(Bucket=bucket, Key="models/1/model.tflite", Body=b"model")

    status, said = checkout.cloud_in_terminal(
        "destroy", answers=answers.format(bucket=bucket)
    )

    assert status == 0, said
    assert not stack_exists(checkout)
    assert (bucket in {found["Name"] for found in s3.list_buckets()["Buckets"]}) == (
        told == "Kept"
    )
    assert told in said


@pytest.mark.long
def test_a_bucket_is_deleted_with_all_versions_and_delete_markers(
    checkout: Checkout,
) -> None:
    bucket = checkout.create_stack()
    checkout.use_real_sam()
    s3 = boto3.client("s3", region_name=REGION)
    for number in range(VERSIONS):
        s3.put_object(Bucket=bucket, Key=f"jobs/{number % 300}", Body=b"")
    s3.delete_object(Bucket=bucket, Key="jobs/7")

    status, said = checkout.cloud_in_terminal("destroy", answers=f"y\ny\n{bucket}\n")

    assert status == 0, said
    assert bucket not in {found["Name"] for found in s3.list_buckets()["Buckets"]}


def test_destroy_that_is_not_meant_deletes_nothing(checkout: Checkout) -> None:
    checkout.create_stack()

    status, _ = checkout.cloud_in_terminal("destroy", answers="n\n")

    assert status == 1
    assert stack_exists(checkout)


def test_destroy_without_a_terminal_deletes_nothing(checkout: Checkout) -> None:
    checkout.create_stack()

    done = checkout.cloud("destroy")

    assert done.returncode == 1
    assert "needs a terminal" in done.stderr
    assert stack_exists(checkout)


@pytest.mark.parametrize("command", ["url", "logs", "deploy"])
def test_a_stage_that_was_never_deployed_is_one_line(
    checkout: Checkout, command: str
) -> None:
    done = checkout.cloud(command)

    assert done.returncode == 1
    assert done.stderr.startswith(
        "samconfig.toml names no stack and region for 'default'"
    )
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["url", "logs"])
def test_a_stack_that_is_not_there_is_one_line(
    checkout: Checkout, command: str
) -> None:
    checkout.save()

    done = checkout.cloud(command)

    assert done.returncode == 1
    assert (
        done.stderr
        == f"{checkout.name} is not deployed in {REGION}. Run make deploy.\n"
    )


@pytest.mark.parametrize(
    ("parameter", "told"),
    [
        (
            "TrainingComputer=GPU",
            "samconfig.toml sets TrainingComputer, but template.yaml has no such parameter.\n",
        ),
        (
            "TrainingCompute",
            "samconfig.toml, parameter_overrides: TrainingCompute is not a valid format.",
        ),
    ],
)
def test_a_wrong_parameter_is_one_line(
    checkout: Checkout, parameter: str, told: str
) -> None:
    checkout.save(parameter)

    done = checkout.cloud("url")

    assert done.returncode == 1
    assert done.stderr.startswith(told)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"AWS_EC2_METADATA_DISABLED": "true"}, "No AWS credentials were found."),
        (
            {"AWS_PROFILE": "missing"},
            "AWS: The config profile (missing) could not be found",
        ),
    ],
)
def test_missing_credentials_are_one_line(
    checkout: Checkout,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    told: str,
) -> None:
    checkout.save()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    done = checkout.cloud("url")

    assert done.returncode == 1
    assert done.stderr.startswith(told)
    assert done.stderr.count("\n") == 1


def stack_exists(checkout: Checkout) -> bool:
    try:
        boto3.client("cloudformation", region_name=REGION).describe_stacks(
            StackName=checkout.name
        )
    except ClientError:
        return False
    return True
