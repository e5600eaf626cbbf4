"""What the functions are given, and how a new version of predict takes over."""

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
FUNCTIONS = ("Predict", "Train", "Convert")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_given_its_settings_and_no_others(
    stack: Stack, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = stack.properties(function)["Environment"]["Variables"]
    known = re.findall(r"DIGITS_\w+", Path(settings.__file__).read_text())
    assert {name for name in variables if name.startswith("DIGITS_")} <= set(known)
    monkeypatch.setattr(os, "environ", variables)
    found = Settings.from_environment()
    assert found.store == "s3://Bucket"
    batch = ("JobQueue", "JobDefinition") if function == "Train" else ("", "")
    assert (found.job_queue, found.job_definition) == batch
    # API Gateway would have given up.
    assert found.max_wait < stack.properties("Train")["Timeout"] <= 29


@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:5000"])
def test_only_sam_local_sets_another_endpoint(endpoint: str) -> None:
    stack = Stack({"AwsEndpointUrl": endpoint} if endpoint else {})
    for function in FUNCTIONS:
        assert (
            stack.properties(function)["Environment"]["Variables"]["AWS_ENDPOINT_URL"]
            == endpoint
        )
    environment = stack.properties("JobDefinition")["ContainerProperties"][
        "Environment"
    ]
    assert [it["Value"] for it in environment if it["Name"] == "AWS_ENDPOINT_URL"] == (
        [endpoint] if endpoint else []
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_writes_to_a_log_that_ends_and_is_traced(
    stack: Stack, function: str
) -> None:
    properties = stack.properties(function)
    assert (
        stack.properties(properties["LoggingConfig"]["LogGroup"])["RetentionInDays"]
        == 30
    )
    assert properties["TracingConfig"] == {"Mode": "Active"}


def test_zip_functions_share_the_layer(stack: Stack) -> None:
    (layer,) = stack.of_type("AWS::Lambda::LayerVersion")
    for function in ("Train", "Convert"):
        properties = stack.properties(function)
        assert properties["Layers"] == [layer]
        assert properties["Runtime"] in stack.properties(layer)["CompatibleRuntimes"]
    assert "Layers" not in stack.properties("Predict")


def test_convert_has_the_disk_that_the_largest_upload_takes(stack: Stack) -> None:
    """Beside it lies at most 1 GiB that it unpacks to."""
    assert (
        stack.properties("Convert")["EphemeralStorage"]["Size"] * 2**20
        > MAX_UPLOAD_BYTES + 2**30
    )


def test_callers_reach_predict_by_its_alias_only(stack: Stack) -> None:
    alias = "PredictAliaslive"
    assert stack.properties(alias)["Name"] == "live"
    paths = stack.properties("Api")["Body"]["paths"].values()
    called = [
        it["x-amazon-apigateway-integration"]["uri"]
        for methods in paths
        for it in methods.values()
    ]
    assert not any("Predict.Arn" in uri for uri in called)
    routes = [
        route
        for route in template.read_template(ROOT / "template.yaml").routes
        if route.function == "Predict"
    ]
    assert sum(f"functions/{alias}/" in uri for uri in called) == len(routes) > 0
    permissions = stack.of_type("AWS::Lambda::Permission").values()
    assert "Predict" not in {it["FunctionName"] for it in permissions}


def test_a_new_version_of_predict_takes_over_step_by_step_and_an_alarm_rolls_it_back(
    stack: Stack,
) -> None:
    update = stack.resources["PredictAliaslive"]["UpdatePolicy"][
        "CodeDeployLambdaAliasUpdate"
    ]
    group = stack.properties(update["DeploymentGroupName"])
    assert (
        group["DeploymentConfigName"]
        == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    )
    assert group["AlarmConfiguration"] == {
        "Enabled": True,
        "Alarms": [{"Name": "PredictErrors"}, {"Name": "PredictLatency"}],
    }
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    for alarm in ("PredictErrors", "PredictLatency"):
        dimensions = {
            it["Name"]: it["Value"] for it in stack.properties(alarm)["Dimensions"]
        }
        assert dimensions == {"FunctionName": "Predict", "Resource": "Predict:live"}


def test_nothing_is_reserved_or_kept_warm_unless_asked_for(stack: Stack) -> None:
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
def test_a_parameter_changes_what_it_says(
    parameter: str, value: str, resource: str, expected: dict[str, Any]
) -> None:
    properties = Stack({parameter: value}).properties(resource)
    assert {key: properties[key] for key in expected} == expected
