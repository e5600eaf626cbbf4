"""Who may act as which role. The permissions of roles are tested with the code that runs."""

import pytest

from tests.stack import Stack, as_list

SERVICES = {
    "CodeDeployServiceRole": "codedeploy.amazonaws.com",
    "ConvertRole": "lambda.amazonaws.com",
    "ExecutionRole": "ecs-tasks.amazonaws.com",
    "GatewayRole": "apigateway.amazonaws.com",
    "InstanceRole": "ec2.amazonaws.com",
    "PredictRole": "lambda.amazonaws.com",
    "TrainRole": "lambda.amazonaws.com",
    "TrainingRole": "ecs-tasks.amazonaws.com",
}
# AWS' own policies, for what is AWS' own business; every other role says itself what it may.
MANAGED = {
    "CodeDeployServiceRole": "AWSCodeDeployRoleForLambda",
    "GatewayRole": "AmazonAPIGatewayPushToCloudWatchLogs",
    "InstanceRole": "AmazonEC2ContainerServiceforEC2Role",
}
# Actions that AWS cannot narrow to a resource. TerminateJob knows jobs, whose ids are
# not known before they run.
UNNARROWED = {
    "batch:DescribeJobs": "*",
    "batch:ListJobs": "*",
    "batch:TerminateJob": "arn:aws:batch:us-east-1:123456789012:job/*",
    "ecr:GetAuthorizationToken": "*",
    "xray:PutTelemetryRecords": "*",
    "xray:PutTraceSegments": "*",
}


@pytest.fixture(scope="module")
def widest() -> Stack:
    """With every role that there can be."""
    return Stack({"TrainingCompute": "GPU_SPOT"})


def test_each_role_is_for_one_service(widest: Stack) -> None:
    documents = {
        name: it["AssumeRolePolicyDocument"]["Statement"]
        for name, it in widest.of_type("AWS::IAM::Role").items()
    }
    found = {
        name: [
            service for it in them for service in as_list(it["Principal"]["Service"])
        ]
        for name, them in documents.items()
    }
    assert found == {name: [service] for name, service in SERVICES.items()}


def test_trainings_roles_are_for_this_accounts_tasks(stack: Stack) -> None:
    for role in ("TrainingRole", "ExecutionRole"):
        (statement,) = stack.properties(role)["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Condition"] == {
            "StringEquals": {"aws:SourceAccount": "123456789012"}
        }


def test_no_role_has_a_policy_that_was_not_looked_at(widest: Stack) -> None:
    roles = widest.of_type("AWS::IAM::Role").items()
    attached = {
        name: it["ManagedPolicyArns"] for name, it in roles if "ManagedPolicyArns" in it
    }
    assert attached == {
        name: [f"arn:aws:iam::aws:policy/service-role/{policy}"]
        for name, policy in MANAGED.items()
    }
    assert (
        widest.of_type("AWS::IAM::Policy")
        == widest.of_type("AWS::IAM::ManagedPolicy")
        == {}
    )


def test_each_action_is_for_a_part_of_this_stack(widest: Stack) -> None:
    for role in widest.of_type("AWS::IAM::Role"):
        for statement in widest.statements(role):
            assert statement["Effect"] == "Allow"
            for action in statement["Action"]:
                assert "*" not in action
                for resource in statement["Resource"]:
                    logical_id = resource.partition("/")[0].removesuffix(".Arn")
                    assert (
                        logical_id in widest.resources or resource == UNNARROWED[action]
                    ), (role, action, resource)


def test_no_role_gets_at_all_that_is_in_the_bucket(widest: Stack) -> None:
    for role in widest.of_type("AWS::IAM::Role"):
        resources = {
            resource
            for statement in widest.statements(role)
            for resource in statement["Resource"]
        }
        folders = {it.split("/")[1] for it in resources if it.startswith("Bucket.Arn/")}
        assert folders <= {"datasets", "jobs", "models", "raw", "releases"}


def test_a_container_is_started_with_what_amazon_ecs_asks_for(stack: Stack) -> None:
    """As in AWS' own AmazonECSTaskExecutionRolePolicy, there for any image and any log."""
    actions = {
        action
        for statement in stack.statements("ExecutionRole")
        for action in statement["Action"]
    }
    assert actions == {
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetAuthorizationToken",
        "ecr:GetDownloadUrlForLayer",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }


def test_only_the_bucket_is_open_to_the_whole_network(stack: Stack) -> None:
    (endpoint,) = stack.of_type("AWS::EC2::VPCEndpoint").values()
    resources = [
        arn
        for it in endpoint["PolicyDocument"]["Statement"]
        for arn in as_list(it["Resource"])
    ]
    assert resources == [
        "Bucket.Arn",
        "Bucket.Arn/*",
        "arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*",
    ]
