"""`python -m cloud` in a process: errors are one line, and deleting needs an answer."""

import os
import subprocess
import sys
import time

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.integration.cloud.conftest import REGION, SECONDS, Checkout

# S3 lists and deletes at most 1000 objects per request.
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
    groups = client.describe_log_groups(logGroupNamePrefix=checkout.name)
    for group in groups["logGroups"]:
        stream = {"logGroupName": group["logGroupName"], "logStreamName": "stream"}
        resource = group["logGroupName"].split("-")[2]
        event = {"timestamp": int(time.time() * 1000), "message": resource}
        client.create_log_stream(**stream)
        client.put_log_events(**stream, logEvents=[event])

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
    ("answers", "message"),
    [
        pytest.param("y\nn\n", "Kept", id="bucket not confirmed"),
        pytest.param("y\ny\nanother name\n", "Kept", id="wrong name typed"),
        pytest.param("y\ny\n{bucket}\n", "Deleting all versions", id="name typed"),
    ],
)
def test_destroy_deletes_the_bucket_only_after_its_name_is_typed(
    checkout: Checkout, answers: str, message: str
) -> None:
    bucket = checkout.create_stack()
    checkout.use_real_sam()
    s3 = boto3.client("s3", region_name=REGION)
    for _ in range(2):
        s3.put_object(Bucket=bucket, Key="models/1/model.tflite", Body=b"model")

    status, output = checkout.cloud_in_terminal(
        "destroy", answers=answers.format(bucket=bucket)
    )

    assert status == 0, output
    assert message in output
    assert not stack_exists(checkout)
    assert bucket_exists(bucket) == (message == "Kept")


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

    status, output = checkout.cloud_in_terminal("destroy", answers=f"y\ny\n{bucket}\n")

    assert status == 0, output
    assert not bucket_exists(bucket)


def test_destroy_deletes_nothing_without_a_yes(checkout: Checkout) -> None:
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
def test_an_unknown_stage_is_reported_in_one_line(
    checkout: Checkout, command: str
) -> None:
    done = checkout.cloud(command)

    assert done.returncode == 1
    assert done.stderr.startswith(
        "samconfig.toml names no stack and region for 'default'"
    )
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["url", "logs"])
def test_a_missing_stack_is_reported_in_one_line(
    checkout: Checkout, command: str
) -> None:
    checkout.save()

    done = checkout.cloud(command)

    assert done.returncode == 1
    assert (
        done.stderr
        == f"{checkout.name} is not deployed in {REGION}. Run `make deploy`.\n"
    )


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        (
            "TrainingComputer=GPU",
            "samconfig.toml sets TrainingComputer, but template.yaml has no such parameter. ",
        ),
        (
            "TrainingCompute",
            "samconfig.toml, parameter_overrides: TrainingCompute is not a valid format.",
        ),
    ],
)
def test_a_wrong_parameter_is_reported_in_one_line(
    checkout: Checkout, parameter: str, message: str
) -> None:
    checkout.save(parameter)

    done = checkout.cloud("url")

    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"AWS_EC2_METADATA_DISABLED": "true"}, "No AWS credentials were found."),
        (
            {"AWS_PROFILE": "missing"},
            "AWS: The config profile (missing) could not be found",
        ),
    ],
)
def test_missing_credentials_are_reported_in_one_line(
    checkout: Checkout,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    message: str,
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
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def bucket_exists(name: str) -> bool:
    buckets = boto3.client("s3", region_name=REGION).list_buckets()["Buckets"]
    return name in {bucket["Name"] for bucket in buckets}


def stack_exists(checkout: Checkout) -> bool:
    client = boto3.client("cloudformation", region_name=REGION)
    try:
        client.describe_stacks(StackName=checkout.name)
    except ClientError:
        return False
    return True
