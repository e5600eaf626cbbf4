"""Which function handles an event, and where failed events are kept."""

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


def job(status: str = "FAILED", queue: str = "FargateQueue") -> Event:
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
            id="an upload with an invalid name",
        ),
        pytest.param(upload("raw/mnist.txt"), [], id="not an npz"),
        # Convert writes to datasets/, so an event per file would be an endless loop.
        pytest.param(
            upload("datasets/mnist/1.0.0/x.npz"), [], id="a file that convert wrote"
        ),
        pytest.param(upload(bucket="other"), [], id="an upload to another bucket"),
        pytest.param(
            upload() | {"detail-type": "Object Deleted"}, [], id="a deleted upload"
        ),
        pytest.param(job("FAILED"), ["Train"], id="a failed training"),
        pytest.param(job("SUCCEEDED"), ["Train"], id="a completed training"),
        pytest.param(job("RUNNING"), [], id="a running training"),
        pytest.param(job(queue="other"), [], id="a job of another queue"),
    ],
)
def test_an_event_reaches_its_function(
    stack: Stack, event: Event, functions: list[str]
) -> None:
    targets: list[str] = []
    for rule in stack.of_type("AWS::Events::Rule").values():
        pattern = EventPattern.load(json.dumps(rule["EventPattern"]))
        if pattern.matches_event(event):  # type: ignore[arg-type]
            targets += [target["Arn"] for target in rule["Targets"]]
    assert targets == [f"{name}.Arn" for name in functions]


@pytest.mark.parametrize(
    ("rule", "function"), [("ConvertUpload", "Convert"), ("TrainJobState", "Train")]
)
def test_a_failing_event_is_retried_for_an_hour_and_then_kept(
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
    attempts = invocations["MaximumRetryAttempts"] + 1
    assert attempts == 3
    # Each attempt may last until the timeout. The last attempt must begin before
    # the event expires.
    longest = attempts * stack.properties(function)["Timeout"]
    assert longest < invocations["MaximumEventAgeInSeconds"]


def test_eventbridge_may_call_the_functions_and_keep_failed_events(
    stack: Stack,
) -> None:
    rules = stack.of_type("AWS::Events::Rule")
    permissions = stack.of_type("AWS::Lambda::Permission").values()
    allowed = {
        (permission["FunctionName"], permission["SourceArn"])
        for permission in permissions
        if permission["Principal"] == "events.amazonaws.com"
    }
    needed: set[tuple[str, str]] = set()
    for name, rule in rules.items():
        function = rule["Targets"][0]["Arn"].removesuffix(".Arn")
        needed.add((function, f"{name}.Arn"))
    assert allowed == needed
    (policy,) = stack.of_type("AWS::SQS::QueuePolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Action"] == "sqs:SendMessage"
    sources = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert set(sources) == {f"{name}.Arn" for name in rules}


def test_failed_events_are_encrypted_and_kept_for_two_weeks(stack: Stack) -> None:
    """SQS keeps messages for two weeks at most."""
    queue = stack.properties("FailedEvents")
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert queue["SqsManagedSseEnabled"] is True
