"""Settings, logs and deployment of the functions."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from digits import settings
from digits.datasets import MAX_UPLOAD_BYTES
from digits.settings import Settings
from local import template
from tests.stack import Stack

ROOT = Path(__file__).parents[3]
ENDPOINT = "http://127.0.0.1:5000"
FUNCTIONS = ("Predict", "Train", "Convert")
# API Gateway cuts requests off after 29 seconds.
GATEWAY_SECONDS = 29
# The most that convert unpacks from an upload.
UNPACKED_BYTES = 2**30


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_known_settings_only(
    stack: Stack, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = stack.properties(function)["Environment"]["Variables"]
    known = re.findall(r"DIGITS_\w+", Path(settings.__file__).read_text())
    assert {name for name in variables if name.startswith("DIGITS_")} <= set(known)
    monkeypatch.setattr(os, "environ", variables)
    loaded = Settings.from_environment()
    assert loaded.store == "s3://Bucket"
    batch = ("FargateQueue", "JobDefinition") if function == "Train" else ("", "")
    assert (loaded.job_queue, loaded.job_definition) == batch
    timeout = stack.properties("Train")["Timeout"]
    assert loaded.max_wait < timeout <= GATEWAY_SECONDS


@pytest.mark.parametrize(
    ("parameters", "function_endpoint", "job_endpoint"),
    [
        ({}, "", None),
        ({"AwsEndpointUrl": ENDPOINT}, ENDPOINT, ENDPOINT),
    ],
)
def test_the_endpoint_of_aws_is_a_parameter(
    parameters: dict[str, str], function_endpoint: str, job_endpoint: str | None
) -> None:
    """`sam local` sets the parameter to reach a server of its own."""
    stack = Stack(parameters)
    for function in FUNCTIONS:
        variables = stack.properties(function)["Environment"]["Variables"]
        assert variables["AWS_ENDPOINT_URL"] == function_endpoint
    container = stack.properties("JobDefinition")["ContainerProperties"]
    job_variables = {
        variable["Name"]: variable["Value"] for variable in container["Environment"]
    }
    assert job_variables.get("AWS_ENDPOINT_URL") == job_endpoint


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_a_log_that_expires_and_is_traced(
    stack: Stack, function: str
) -> None:
    properties = stack.properties(function)
    log_group = properties["LoggingConfig"]["LogGroup"]
    assert stack.properties(log_group)["RetentionInDays"] == 30
    assert properties["TracingConfig"] == {"Mode": "Active"}


def test_zip_functions_share_the_layer(stack: Stack) -> None:
    (layer,) = stack.of_type("AWS::Lambda::LayerVersion")
    for function in ("Train", "Convert"):
        properties = stack.properties(function)
        assert properties["Layers"] == [layer]
        assert properties["Runtime"] in stack.properties(layer)["CompatibleRuntimes"]
    assert "Layers" not in stack.properties("Predict")


def test_the_disk_of_convert_holds_the_largest_upload(stack: Stack) -> None:
    mebibytes = stack.properties("Convert")["EphemeralStorage"]["Size"]
    assert mebibytes * 2**20 > MAX_UPLOAD_BYTES + UNPACKED_BYTES


def test_the_api_calls_predict_by_its_alias_only(stack: Stack) -> None:
    alias = "PredictAliaslive"
    assert stack.properties(alias)["Name"] == "live"
    called = [
        operation["x-amazon-apigateway-integration"]["uri"]
        for operation in stack.operations().values()
    ]
    assert not any("Predict.Arn" in uri for uri in called)
    routes = template.read_template(ROOT / "template.yaml").routes
    predict_routes = [route for route in routes if route.function == "Predict"]
    assert predict_routes
    alias_uris = [uri for uri in called if f"functions/{alias}/" in uri]
    assert len(alias_uris) == len(predict_routes)
    for permission in stack.of_type("AWS::Lambda::Permission").values():
        assert permission["FunctionName"] != "Predict"


def test_alarms_on_the_new_version_roll_back_a_canary_deployment_of_predict(
    stack: Stack,
) -> None:
    policy = stack.resources["PredictAliaslive"]["UpdatePolicy"]
    update = policy["CodeDeployLambdaAliasUpdate"]
    group = stack.properties(update["DeploymentGroupName"])
    canary = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    assert group["DeploymentConfigName"] == canary
    assert group["AlarmConfiguration"] == {
        "Enabled": True,
        "Alarms": [{"Name": "NewVersionErrors"}, {"Name": "NewVersionLatency"}],
    }
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    (version,) = stack.of_type("AWS::Lambda::Version")
    alias = [
        {"Name": "FunctionName", "Value": "Predict"},
        {"Name": "Resource", "Value": "Predict:live"},
    ]
    new_version = {"Name": "ExecutedVersion", "Value": f"{version}.Version"}
    # A failure of the old version must not roll back the version that mends the failure.
    for alarm in ("NewVersionErrors", "NewVersionLatency"):
        assert stack.properties(alarm)["Dimensions"] == [*alias, new_version]
    for alarm in ("PredictErrors", "PredictLatency"):
        assert stack.properties(alarm)["Dimensions"] == alias


def test_concurrency_is_neither_reserved_nor_provisioned_by_default(
    stack: Stack,
) -> None:
    assert "ReservedConcurrentExecutions" not in stack.properties("Predict")
    assert "ProvisionedConcurrencyConfig" not in stack.properties("PredictAliaslive")


@pytest.mark.parametrize(
    ("parameter", "value", "resource", "expected"),
    [
        ("PredictArchitecture", "arm64", "Predict", {"Architectures": ["arm64"]}),
        ("PredictReserved", "5", "Predict", {"ReservedConcurrentExecutions": "5"}),
        (
            "PredictProvisioned",
            "2",
            "PredictAliaslive",
            {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": "2"}},
        ),
        (
            "PredictDeployment",
            "AllAtOnce",
            "PredictDeploymentGroup",
            {"DeploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce"},
        ),
        ("LogDays", "7", "PredictLogs", {"RetentionInDays": "7"}),
    ],
)
def test_a_parameter_changes_its_property(
    parameter: str, value: str, resource: str, expected: dict[str, Any]
) -> None:
    properties = Stack({parameter: value}).properties(resource)
    assert {key: properties[key] for key in expected} == expected
