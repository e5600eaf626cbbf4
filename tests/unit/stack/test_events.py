"""The functions of each event, and the end of events that fail, with moto's EventBridge."""

import json
from typing import Any

import pytest
from moto.events.models import EventPattern

from tests.conftest import sample_event
from tests.stack import Stack

Event = dict[str, Any]


def upload(key: str = "raw/mnist.npz", bucket: str = "Bucket") -> Event:
    event = sample_event("upload")
    event["detail"]["bucket"]["name"] = bucket
    event["detail"]["object"]["key"] = key
    return event


def job(status: str = "FAILED", queue: str = "JobQueue") -> Event:
    event = sample_event("job-failed")
    event["detail"] |= {"status": status, "jobQueue": queue}
    return event


@pytest.mark.parametrize(
    ("event", "functions"),
    [
        pytest.param(upload(), ["Convert"], id="an upload"),
        pytest.param(
            upload("raw/deep/er.npz"),
            ["Convert"],
            id="an upload that will be refused by its name",
        ),
        pytest.param(upload("raw/mnist.txt"), [], id="no npz"),
        # Convert writes there, and would be called for its own files forever.
        pytest.param(upload("datasets/mnist/1.0.0/x.npz"), [], id="what convert wrote"),
        pytest.param(upload(bucket="other"), [], id="another bucket's upload"),
        pytest.param(
            upload() | {"detail-type": "Object Deleted"}, [], id="an upload deleted"
        ),
        pytest.param(job("FAILED"), ["Train"], id="a training failed"),
        pytest.param(job("SUCCEEDED"), ["Train"], id="a training done"),
        pytest.param(job("RUNNING"), [], id="a training that runs"),
        pytest.param(job(queue="other"), [], id="another queue's job"),
    ],
)
def test_an_event_reaches_the_function_that_waits_for_it(
    stack: Stack, event: Event, functions: list[str]
) -> None:
    rules = [
        rule
        for rule in stack.of_type("AWS::Events::Rule").values()
        if EventPattern.load(json.dumps(rule["EventPattern"])).matches_event(event)  # type: ignore[arg-type]
    ]
    assert [target["Arn"] for rule in rules for target in rule["Targets"]] == [
        f"{name}.Arn" for name in functions
    ]


@pytest.mark.parametrize(
    ("rule", "function"), [("ConvertUpload", "Convert"), ("TrainJobState", "Train")]
)
def test_an_event_is_tried_again_for_an_hour_and_then_kept(
    stack: Stack, rule: str, function: str
) -> None:
    (target,) = stack.properties(rule)["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": "FailedEvents.Arn"}
    assert target["RetryPolicy"] == {
        "MaximumRetryAttempts": 8,
        "MaximumEventAgeInSeconds": 3600,
    }
    invocations = stack.properties(f"{function}EventInvokeConfig")
    assert (invocations["FunctionName"], invocations["Qualifier"]) == (
        function,
        "$LATEST",
    )
    assert invocations["DestinationConfig"] == {
        "OnFailure": {"Destination": "FailedEvents.Arn"}
    }
    # Every attempt may take the function's whole time, and the last must begin within the age.
    attempts, age = (
        invocations["MaximumRetryAttempts"] + 1,
        invocations["MaximumEventAgeInSeconds"],
    )
    assert attempts == 3
    assert attempts * stack.properties(function)["Timeout"] < age


def test_eventbridge_may_call_the_functions_and_keep_what_failed(stack: Stack) -> None:
    rules = stack.of_type("AWS::Events::Rule")
    permissions = stack.of_type("AWS::Lambda::Permission").values()
    allowed = {
        (it["FunctionName"], it["SourceArn"])
        for it in permissions
        if it["Principal"] == "events.amazonaws.com"
    }
    assert allowed == {
        (rule["Targets"][0]["Arn"].removesuffix(".Arn"), f"{name}.Arn")
        for name, rule in rules.items()
    }
    (policy,) = stack.of_type("AWS::SQS::QueuePolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Principal"], statement["Action"]) == (
        {"Service": "events.amazonaws.com"},
        "sqs:SendMessage",
    )
    assert set(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == {
        f"{name}.Arn" for name in rules
    }


def test_what_failed_is_kept_encrypted_for_as_long_as_sqs_can(stack: Stack) -> None:
    queue = stack.properties("FailedEvents")
    assert (queue["MessageRetentionPeriod"], queue["SqsManagedSseEnabled"]) == (
        14 * 24 * 3600,
        True,
    )
