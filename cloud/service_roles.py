"""The roles of AWS's own services, which a new account does not have.

Batch and ECS create their role with the first environment, but too late for that
environment: the first stack of an account would be rolled back.
"""

import boto3

SERVICES = ("batch.amazonaws.com", "ecs.amazonaws.com")
SPOT = "spot.amazonaws.com"


def create_service_roles(session: boto3.Session, *, gpu_spot: bool) -> None:
    """Create the service-linked roles of the stack that the account lacks.

    Args:
        session: of the account.
        gpu_spot: whether trainings run on EC2 Spot machines, which need one more role.
    """
    client = session.client("iam")
    services = [*SERVICES, SPOT] if gpu_spot else SERVICES
    for service in services:
        found = client.list_roles(PathPrefix=f"/aws-service-role/{service}/")
        if not found["Roles"]:
            client.create_service_linked_role(AWSServiceName=service)
