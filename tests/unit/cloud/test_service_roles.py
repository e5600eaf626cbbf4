"""`make deploy` creates the service-linked roles that a new account lacks."""

import boto3
import pytest

from cloud.service_roles import create_service_roles


def services_with_a_role(session: boto3.Session) -> list[str]:
    roles = session.client("iam").list_roles(PathPrefix="/aws-service-role/")
    return sorted(role["Path"].split("/")[2] for role in roles["Roles"])


def test_missing_roles_are_created_once(
    moto_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    session = boto3.Session("test", "test", region_name="us-east-1")
    assert services_with_a_role(session) == []
    for _ in range(2):
        create_service_roles(session, gpu_spot=False)
    services = ["batch.amazonaws.com", "ecs.amazonaws.com"]
    assert services_with_a_role(session) == services
    create_service_roles(session, gpu_spot=True)
    assert services_with_a_role(session) == [*services, "spot.amazonaws.com"]
