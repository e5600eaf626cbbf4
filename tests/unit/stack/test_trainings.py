"""Batch: what a training runs on, in which container, and when it is run again."""

import os
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.stack import Stack


@pytest.mark.parametrize(
    ("compute", "kind", "platform", "gpus"),
    [
        ("FARGATE", "FARGATE", "FARGATE", []),
        ("FARGATE_SPOT", "FARGATE_SPOT", "FARGATE", []),
        ("GPU", "EC2", "EC2", ["1"]),
        ("GPU_SPOT", "SPOT", "EC2", ["1"]),
    ],
)
def test_the_queue_leads_to_machines_that_take_the_job(
    compute: str, kind: str, platform: str, gpus: list[str]
) -> None:
    stack = Stack({"TrainingCompute": compute})
    (order,) = stack.properties("JobQueue")["ComputeEnvironmentOrder"]
    (environment,) = stack.of_type("AWS::Batch::ComputeEnvironment")
    assert order["ComputeEnvironment"] == environment
    resources = stack.properties(environment)["ComputeResources"]
    assert resources["Type"] == kind
    definition = stack.properties("JobDefinition")
    container = definition["ContainerProperties"]
    assert definition["PlatformCapabilities"] == [platform]
    assert [
        it["Value"] for it in container["ResourceRequirements"] if it["Type"] == "GPU"
    ] == gpus
    # Without a public address a task on Fargate reaches no ECR here; EC2 takes no such setting.
    on_fargate = platform == "FARGATE"
    assert (
        container.get("NetworkConfiguration") == {"AssignPublicIp": "ENABLED"}
    ) is on_fargate
    assert ("RuntimePlatform" in container) is on_fargate
    assert ("InstanceRole" in resources) is not on_fargate
    assert resources.get("MinvCpus", 0) == 0


def test_the_container_can_do_nothing_but_train(stack: Stack) -> None:
    container = stack.properties("JobDefinition")["ContainerProperties"]
    assert container["User"] == "65534"
    assert container["ReadonlyRootFilesystem"] is True
    assert not container.keys() & {"Privileged", "LinuxParameters", "Secrets"}
    assert container["Volumes"] == [{"Name": "scratch"}]
    assert container["MountPoints"] == [
        {"SourceVolume": "scratch", "ContainerPath": "/tmp"}  # noqa: S108
    ]
    assert (container["JobRoleArn"], container["ExecutionRoleArn"]) == (
        "TrainingRole.Arn",
        "ExecutionRole.Arn",
    )
    variables = {it["Name"]: it["Value"] for it in container["Environment"]}
    assert variables == {"AWS_REGION": "us-east-1", "DIGITS_STORE": "s3://Bucket"}


def test_its_log_ends(stack: Stack) -> None:
    log = stack.properties("JobDefinition")["ContainerProperties"]["LogConfiguration"]
    assert log["LogDriver"] == "awslogs"
    assert stack.properties(log["Options"]["awslogs-group"])["RetentionInDays"] == 30


def test_it_is_the_image_that_was_deployed(stack: Stack) -> None:
    image = "TrainingImages.RepositoryUri"
    assert (
        stack.properties("JobDefinition")["ContainerProperties"]["Image"]
        == f"{image}:0f1e2d3c4b5a"
    )
    assert stack.outputs["TrainingImages"] == image
    assert stack.properties("TrainingImages")["ImageTagMutability"] == "IMMUTABLE"


@pytest.mark.parametrize(
    ("parameters", "key", "value"),
    [
        ({"TrainingVcpus": "16"}, "VCPU", "16"),
        ({"TrainingMemory": "32768"}, "MEMORY", "32768"),
        ({"TrainingTimeout": "60"}, "AttemptDurationSeconds", "60"),
        ({"TrainingMaxVcpus": "64"}, "MaxvCpus", "64"),
    ],
)
def test_a_training_has_the_limits_that_were_given(
    parameters: dict[str, str], key: str, value: str
) -> None:
    stack = Stack(parameters)
    definition = stack.properties("JobDefinition")
    requirements = {
        it["Type"]: it["Value"]
        for it in definition["ContainerProperties"]["ResourceRequirements"]
    }
    resources = stack.properties("FargateEnvironment")["ComputeResources"]
    assert (requirements | definition["Timeout"] | resources)[key] == value


@pytest.mark.parametrize(
    ("status_reason", "reason", "exit_code", "action"),
    [
        ("Host EC2 (instance i-0123456789abcdef0) terminated.", "", "", "RETRY"),
        ("Your Spot Task was interrupted.", "", "", "RETRY"),
        ("Essential container in task exited", "", str(os.EX_TEMPFAIL), "RETRY"),
        ("Essential container in task exited", "", "1", "EXIT"),
        (
            "Essential container in task exited",
            "OutOfMemoryError: Container killed due to memory usage",
            "137",
            "EXIT",
        ),
        ("Job attempt duration exceeded timeout", "", "137", "EXIT"),
        ("Task failed to start", "CannotPullContainerError: not found", "", "EXIT"),
    ],
)
def test_only_a_training_that_lost_its_machine_or_the_store_is_run_again(
    stack: Stack, status_reason: str, reason: str, exit_code: str, action: str
) -> None:
    strategy = stack.properties("JobDefinition")["RetryStrategy"]
    assert 1 < strategy["Attempts"] <= 10
    said = {
        "OnStatusReason": status_reason,
        "OnReason": reason,
        "OnExitCode": exit_code,
    }
    assert decide(strategy["EvaluateOnExit"], said) == action


def decide(rules: list[dict[str, Any]], said: dict[str, str]) -> str:
    """What Batch does with a failed attempt: the first rule counts whose every pattern fits."""
    fitting = (
        rule["Action"]
        for rule in rules
        if all(
            fnmatchcase(said[key].lower(), rule[key].lower())
            for key in said.keys() & rule.keys()
        )
    )
    return str(next(fitting, "RETRY"))


def test_a_job_that_no_machine_takes_does_not_wait_for_ever(stack: Stack) -> None:
    actions = stack.properties("JobQueue")["JobStateTimeLimitActions"]
    assert {it["Reason"].partition(":")[0] for it in actions} == {
        "CAPACITY",
        "MISCONFIGURATION",
    }
    assert {(it["State"], it["Action"]) for it in actions} == {("RUNNABLE", "CANCEL")}


def test_trainings_reach_aws_and_nothing_reaches_them(stack: Stack) -> None:
    assert stack.of_type("AWS::EC2::NatGateway") == {}
    group = stack.properties("SecurityGroup")
    assert "SecurityGroupIngress" not in group
    assert [
        (rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]
    ] == [(443, 443)]
    (endpoint,) = stack.of_type("AWS::EC2::VPCEndpoint").values()
    assert endpoint["ServiceName"] == "com.amazonaws.us-east-1.s3"
    assert endpoint["RouteTableIds"] == ["Routes"]
    subnets = stack.properties("FargateEnvironment")["ComputeResources"]["Subnets"]
    routed = {
        it["SubnetId"]
        for it in stack.of_type("AWS::EC2::SubnetRouteTableAssociation").values()
    }
    assert set(subnets) == routed
    assert (
        len({stack.properties(subnet)["AvailabilityZone"] for subnet in subnets}) == 2
    )
