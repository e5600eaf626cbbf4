"""The machines, the container and the retries of trainings in Batch."""

import os
from fnmatch import fnmatchcase

import pytest

from tests.stack import Stack

PUBLIC_ADDRESS = {"AssignPublicIp": "ENABLED"}
STOPPED = "Essential container in task exited"


@pytest.mark.parametrize(
    ("compute", "kind", "platform", "gpus"),
    [
        ("FARGATE", "FARGATE", "FARGATE", []),
        ("FARGATE_SPOT", "FARGATE_SPOT", "FARGATE", []),
        ("GPU", "EC2", "EC2", ["1"]),
        ("GPU_SPOT", "SPOT", "EC2", ["1"]),
    ],
)
def test_the_machines_of_the_queue_fit_the_job_definition(
    compute: str, kind: str, platform: str, gpus: list[str]
) -> None:
    stack = Stack({"TrainingCompute": compute})
    (queue,) = stack.of_type("AWS::Batch::JobQueue")
    (order,) = stack.properties(queue)["ComputeEnvironmentOrder"]
    (environment,) = stack.of_type("AWS::Batch::ComputeEnvironment")
    assert order["ComputeEnvironment"] == environment
    resources = stack.properties(environment)["ComputeResources"]
    assert resources["Type"] == kind
    definition = stack.properties("JobDefinition")
    container = definition["ContainerProperties"]
    assert definition["PlatformCapabilities"] == [platform]
    requirements = container["ResourceRequirements"]
    assert [item["Value"] for item in requirements if item["Type"] == "GPU"] == gpus
    on_fargate = platform == "FARGATE"
    # A task on Fargate needs a public address to reach ECR. EC2 refuses the setting.
    has_public_address = container.get("NetworkConfiguration") == PUBLIC_ADDRESS
    assert has_public_address is on_fargate
    assert ("RuntimePlatform" in container) is on_fargate
    assert ("InstanceRole" in resources) is not on_fargate
    assert resources.get("MinvCpus", 0) == 0


def test_trainings_can_move_to_other_machines() -> None:
    """Batch changes neither the type of an environment nor the platform of a queue.

    So CloudFormation replaces an environment, which needs a name that is not taken, and
    each platform has a queue of its own.
    """
    queues = {}
    for compute in ("FARGATE", "FARGATE_SPOT", "GPU", "GPU_SPOT"):
        stack = Stack({"TrainingCompute": compute})
        (environment,) = stack.of_type("AWS::Batch::ComputeEnvironment").values()
        assert environment.get("ReplaceComputeEnvironment", True) is True
        assert "ComputeEnvironmentName" not in environment
        (queues[compute],) = stack.of_type("AWS::Batch::JobQueue")
        variables = stack.properties("Train")["Environment"]["Variables"]
        assert variables["DIGITS_JOB_QUEUE"] == queues[compute]
        pattern = stack.properties("TrainJobState")["EventPattern"]
        assert pattern["detail"]["jobQueue"] == [queues[compute]]
        assert stack.outputs["JobQueue"] == queues[compute]
    assert queues["FARGATE"] == queues["FARGATE_SPOT"]
    assert queues["GPU"] == queues["GPU_SPOT"]
    assert queues["FARGATE"] != queues["GPU"]


def test_trainings_can_be_submitted_while_a_deployment_runs(stack: Stack) -> None:
    """Until the deployment ends, the function submits the revision before."""
    definition = stack.properties("JobDefinition")
    retention = definition["ResourceRetentionPolicy"]
    assert retention == {"SkipDeregisterOnUpdate": True}
    (submit,) = (
        statement
        for statement in stack.statements("TrainRole")
        if "batch:SubmitJob" in statement["Action"]
    )
    name = definition["JobDefinitionName"]
    assert submit["Resource"] == [
        "FargateQueue",
        f"arn:aws:batch:us-east-1:123456789012:job-definition/{name}:*",
    ]


def test_the_container_has_the_fewest_privileges(stack: Stack) -> None:
    container = stack.properties("JobDefinition")["ContainerProperties"]
    assert container["User"] == "65534"
    assert container["ReadonlyRootFilesystem"] is True
    assert not container.keys() & {"Privileged", "LinuxParameters", "Secrets"}
    assert container["Volumes"] == [{"Name": "scratch"}]
    assert container["MountPoints"] == [
        {"SourceVolume": "scratch", "ContainerPath": "/tmp"}  # noqa: S108
    ]
    assert container["JobRoleArn"] == "TrainingRole.Arn"
    assert container["ExecutionRoleArn"] == "ExecutionRole.Arn"
    environment = container["Environment"]
    variables = {variable["Name"]: variable["Value"] for variable in environment}
    assert variables == {"AWS_REGION": "us-east-1", "DIGITS_STORE": "s3://Bucket"}


def test_the_log_of_trainings_expires(stack: Stack) -> None:
    log = stack.properties("JobDefinition")["ContainerProperties"]["LogConfiguration"]
    assert log["LogDriver"] == "awslogs"
    assert stack.properties(log["Options"]["awslogs-group"])["RetentionInDays"] == 30


def test_trainings_run_the_deployed_image(stack: Stack) -> None:
    repository = "TrainingImages.RepositoryUri"
    container = stack.properties("JobDefinition")["ContainerProperties"]
    assert container["Image"] == f"{repository}:0f1e2d3c4b5a"
    assert stack.outputs["TrainingImages"] == repository
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
def test_limits_of_trainings_are_parameters(
    parameters: dict[str, str], key: str, value: str
) -> None:
    stack = Stack(parameters)
    definition = stack.properties("JobDefinition")
    container = definition["ContainerProperties"]
    requirements = {
        item["Type"]: item["Value"] for item in container["ResourceRequirements"]
    }
    resources = stack.properties("FargateEnvironment")["ComputeResources"]
    assert (requirements | definition["Timeout"] | resources)[key] == value


@pytest.mark.parametrize(
    ("status_reason", "reason", "exit_code", "action"),
    [
        ("Host EC2 (instance i-0123456789abcdef0) terminated.", "", "", "RETRY"),
        ("Your Spot Task was interrupted.", "", "", "RETRY"),
        (STOPPED, "", str(os.EX_TEMPFAIL), "RETRY"),
        (STOPPED, "", "1", "EXIT"),
        (
            STOPPED,
            "OutOfMemoryError: Container killed due to memory usage",
            "137",
            "EXIT",
        ),
        ("Job attempt duration exceeded timeout", "", "137", "EXIT"),
        ("Task failed to start", "CannotPullContainerError: not found", "", "EXIT"),
    ],
)
def test_a_training_is_retried_after_the_loss_of_its_machine_or_the_store(
    stack: Stack, status_reason: str, reason: str, exit_code: str, action: str
) -> None:
    strategy = stack.properties("JobDefinition")["RetryStrategy"]
    assert 1 < strategy["Attempts"] <= 10
    failure = {
        "OnStatusReason": status_reason,
        "OnReason": reason,
        "OnExitCode": exit_code,
    }
    assert decide(strategy["EvaluateOnExit"], failure) == action


def decide(rules: list[dict[str, str]], failure: dict[str, str]) -> str:
    """The action of the first rule whose patterns all match a failed attempt.

    Batch retries an attempt that matches no rule.
    """
    for rule in rules:
        if matches(rule, failure):
            return rule["Action"]
    return "RETRY"


def matches(rule: dict[str, str], failure: dict[str, str]) -> bool:
    for key in failure.keys() & rule.keys():
        if not fnmatchcase(failure[key].lower(), rule[key].lower()):
            return False
    return True


def test_a_job_without_a_machine_is_cancelled_in_the_end(stack: Stack) -> None:
    actions = stack.properties("FargateQueue")["JobStateTimeLimitActions"]
    reasons = {action["Reason"].partition(":")[0] for action in actions}
    assert reasons == {"CAPACITY", "MISCONFIGURATION"}
    for action in actions:
        assert (action["State"], action["Action"]) == ("RUNNABLE", "CANCEL")


def test_trainings_reach_aws_and_have_no_open_port(stack: Stack) -> None:
    assert stack.of_type("AWS::EC2::NatGateway") == {}
    group = stack.properties("SecurityGroup")
    assert "SecurityGroupIngress" not in group
    (rule,) = group["SecurityGroupEgress"]
    assert (rule["FromPort"], rule["ToPort"]) == (443, 443)
    (endpoint,) = stack.of_type("AWS::EC2::VPCEndpoint").values()
    assert endpoint["ServiceName"] == "com.amazonaws.us-east-1.s3"
    assert endpoint["RouteTableIds"] == ["Routes"]
    subnets = stack.properties("FargateEnvironment")["ComputeResources"]["Subnets"]
    associations = stack.of_type("AWS::EC2::SubnetRouteTableAssociation")
    routed = {association["SubnetId"] for association in associations.values()}
    assert set(subnets) == routed
    zones = {stack.properties(subnet)["AvailabilityZone"] for subnet in subnets}
    assert len(zones) == 2
