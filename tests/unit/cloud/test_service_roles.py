"""`make deploy` creates the service-linked roles that a new account lacks."""

import boto3
import pytest
from moto import mock_aws

from cloud.service_roles import create_service_roles

BATCH_AND_ECS = {"batch.amazonaws.com", "ecs.amazonaws.com"}


@pytest.mark.parametrize(
    ("gpu_spot", "services"),
    [(False, BATCH_AND_ECS), (True, BATCH_AND_ECS | {"spot.amazonaws.com"})],
)
def test_missing_roles_are_created_once(
    gpu_spot: bool,  # noqa: FBT001
    services: set[str],
) -> None:
    with mock_aws():
        session = boto3.Session("test", "test", region_name="us-east-1")
        for _ in range(2):
            create_service_roles(session, gpu_spot=gpu_spot)
        roles = session.client("iam").list_roles(PathPrefix="/aws-service-role/")
    created = [role["Path"].split("/")[2] for role in roles["Roles"]]
    assert sorted(created) == sorted(services)
