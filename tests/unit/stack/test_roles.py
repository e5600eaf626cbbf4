"""The service of each role, and the limits of all roles.

tests/integration/permissions runs the code with the permissions of its role.
"""

from itertools import product

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
# Roles that only AWS uses have a policy that AWS maintains.
MANAGED = {
    "CodeDeployServiceRole": "AWSCodeDeployRoleForLambda",
    "GatewayRole": "AmazonAPIGatewayPushToCloudWatchLogs",
    "InstanceRole": "AmazonEC2ContainerServiceforEC2Role",
}
# Actions that the template cannot limit to one resource of the stack. SubmitJob is for
# every revision of the stack's job definition. TerminateJob needs the id of a job, which
# exists only after SubmitJob.
UNLIMITED_ACTIONS = {
    "batch:DescribeJobs": "*",
    "batch:ListJobs": "*",
    "batch:SubmitJob": (
        "arn:aws:batch:us-east-1:123456789012:job-definition/digits-training:*"
    ),
    "batch:TerminateJob": "arn:aws:batch:us-east-1:123456789012:job/*",
    "ecr:GetAuthorizationToken": "*",
    "xray:PutTelemetryRecords": "*",
    "xray:PutTraceSegments": "*",
}
FOLDERS = {"datasets", "jobs", "models", "raw", "releases"}


@pytest.fixture(scope="module")
def widest() -> Stack:
    """A stack with all roles: the GPU queue needs an instance role."""
    return Stack({"TrainingCompute": "GPU_SPOT"})


def test_each_role_is_for_one_service(widest: Stack) -> None:
    roles = widest.of_type("AWS::IAM::Role")
    assert roles.keys() == SERVICES.keys()
    for name, role in roles.items():
        services: list[str] = []
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            services += as_list(statement["Principal"]["Service"])
        assert services == [SERVICES[name]]


def test_training_roles_are_for_tasks_of_this_account_only(stack: Stack) -> None:
    for role in ("TrainingRole", "ExecutionRole"):
        (statement,) = stack.properties(role)["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Condition"] == {
            "StringEquals": {"aws:SourceAccount": "123456789012"}
        }


def test_roles_have_no_unknown_managed_policies(widest: Stack) -> None:
    attached: dict[str, list[str]] = {}
    for name, role in widest.of_type("AWS::IAM::Role").items():
        if "ManagedPolicyArns" in role:
            attached[name] = role["ManagedPolicyArns"]
    assert attached == {
        name: [f"arn:aws:iam::aws:policy/service-role/{policy}"]
        for name, policy in MANAGED.items()
    }
    assert widest.of_type("AWS::IAM::Policy") == {}
    assert widest.of_type("AWS::IAM::ManagedPolicy") == {}


def test_actions_are_limited_to_resources_of_the_stack(widest: Stack) -> None:
    for role in widest.of_type("AWS::IAM::Role"):
        for statement in widest.statements(role):
            assert statement["Effect"] == "Allow"
            for action, resource in product(statement["Action"], statement["Resource"]):
                assert "*" not in action
                logical_id = resource.partition("/")[0].removesuffix(".Arn")
                if logical_id not in widest.resources:
                    assert resource == UNLIMITED_ACTIONS[action], (role, action)


def test_roles_have_access_to_folders_of_the_bucket_only(widest: Stack) -> None:
    for role in widest.of_type("AWS::IAM::Role"):
        for statement in widest.statements(role):
            for resource in statement["Resource"]:
                if resource.startswith("Bucket.Arn/"):
                    assert resource.split("/")[1] in FOLDERS


def test_the_execution_role_has_the_permissions_that_amazon_ecs_needs(
    stack: Stack,
) -> None:
    """The actions equal those of AWS' AmazonECSTaskExecutionRolePolicy."""
    actions: set[str] = set()
    for statement in stack.statements("ExecutionRole"):
        actions.update(statement["Action"])
    assert actions == {
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetAuthorizationToken",
        "ecr:GetDownloadUrlForLayer",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }


def test_the_network_reaches_the_bucket_and_image_layers_only(stack: Stack) -> None:
    (endpoint,) = stack.of_type("AWS::EC2::VPCEndpoint").values()
    resources: list[str] = []
    for statement in endpoint["PolicyDocument"]["Statement"]:
        resources += as_list(statement["Resource"])
    assert resources == [
        "Bucket.Arn",
        "Bucket.Arn/*",
        "arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*",
    ]
