"""Alarms and the dashboard: that what they watch exists, and that somebody is told."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.stack import Stack

ROOT = Path(__file__).parents[3]
# Of AWS' own metrics, those that were looked up in its documentation, each with its dimensions.
AWS_METRICS = {
    ("AWS/ApiGateway", ("ApiName", "Stage")): {
        "4XXError",
        "5XXError",
        "Count",
        "Latency",
    },
    ("AWS/Lambda", ("FunctionName",)): {"ConcurrentExecutions", "Errors", "Throttles"},
    ("AWS/Lambda", ("FunctionName", "Resource")): {"Duration", "Errors", "Throttles"},
    ("AWS/SQS", ("QueueName",)): {"ApproximateNumberOfMessagesVisible"},
}


class Metric(NamedTuple):
    namespace: str
    name: str
    dimensions: dict[str, str]


def test_every_metric_that_is_watched_is_sent(stack: Stack) -> None:
    sent = {
        name for path in (ROOT / "functions").glob("*/app.py") for name in texts(path)
    }
    service = stack.properties("Predict")["Environment"]["Variables"][
        "POWERTOOLS_SERVICE_NAME"
    ]
    watched = [*alarm_metrics(stack), *dashboard_metrics(stack)]
    assert len(watched) > 20
    for metric in watched:
        if metric.namespace == "Digits":
            assert metric.name in sent
            assert metric.dimensions == {"service": service}
        else:
            assert (
                metric.name in AWS_METRICS[metric.namespace, tuple(metric.dimensions)]
            )


def test_the_functions_send_to_the_namespace_that_is_watched(stack: Stack) -> None:
    for function in ("Predict", "Train", "Convert"):
        variables = stack.properties(function)["Environment"]["Variables"]
        assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "Digits"


def test_pictures_of_which_none_showed_a_digit_ring_too(stack: Stack) -> None:
    """Then nothing was counted as a prediction, and CloudWatch has no zero for it unless told."""
    queries = stack.properties("Rejections")["Metrics"]
    metrics = [query["Id"] for query in queries if "MetricStat" in query]
    assert len(metrics) == 2
    expressions = " ".join(
        query["Expression"] for query in queries if "Expression" in query
    )
    for metric in metrics:
        assert 0 < expressions.count(metric) == expressions.count(f"FILL({metric}, 0)")


def test_the_dashboard_shows_every_alarm_and_alarms_only_that_exist(
    stack: Stack,
) -> None:
    (alarms,) = (
        it["properties"]["alarms"] for it in widgets(stack) if it["type"] == "alarm"
    )
    assert set(alarms) == {
        f"{name}.Arn" for name in stack.of_type("AWS::CloudWatch::Alarm")
    }


def test_the_dashboards_parts_do_not_cover_each_other(stack: Stack) -> None:
    cells = [
        (x, y)
        for it in widgets(stack)
        for x in range(it["x"], it["x"] + it["width"])
        for y in range(it["y"], it["y"] + it["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23


def test_every_alarm_tells_somebody_and_says_what_to_do() -> None:
    told = Stack({"AlarmEmail": "you@example.org"})
    (subscription,) = told.of_type("AWS::SNS::Subscription").values()
    assert subscription == {
        "TopicArn": "AlarmTopic",
        "Protocol": "email",
        "Endpoint": "you@example.org",
    }
    manual = (ROOT / "docs" / "operations.md").read_text()
    for name, alarm in told.of_type("AWS::CloudWatch::Alarm").items():
        assert alarm["AlarmActions"] == ["AlarmTopic"]
        # Silence is no fault: a service that nobody calls sends nothing.
        assert alarm["TreatMissingData"] == "notBreaching"
        assert f"\n| {name} | " in manual


def test_nobody_need_be_told(stack: Stack) -> None:
    assert stack.of_type("AWS::SNS::Subscription") == {}


@pytest.mark.parametrize(
    "issue", ["5XXError", "Duration", "Throttles", "FailedTrainings", "Rejections"]
)
def test_there_is_an_alarm_for_what_can_go_wrong(stack: Stack, issue: str) -> None:
    assert issue in {metric.name for metric in alarm_metrics(stack)}


def alarm_metrics(stack: Stack) -> Iterator[Metric]:
    for alarm in stack.of_type("AWS::CloudWatch::Alarm").values():
        queries = alarm.get("Metrics", [{"MetricStat": {"Metric": alarm}}])
        for metric in (
            it["MetricStat"]["Metric"] for it in queries if "MetricStat" in it
        ):
            dimensions = {it["Name"]: it["Value"] for it in metric["Dimensions"]}
            yield Metric(metric["Namespace"], metric["MetricName"], dimensions)


def dashboard_metrics(stack: Stack) -> Iterator[Metric]:
    """Of each row, in which `.` stands for what is above it, and `...` for all of it."""
    for widget in widgets(stack):
        above: list[str] = []
        for row in widget["properties"].get("metrics", []):
            cells = [it for it in row if isinstance(it, str)]
            if cells != ["..."]:
                above = [
                    above[i] if cell == "." else cell for i, cell in enumerate(cells)
                ]
            namespace, name, *dimensions = above
            yield Metric(
                namespace,
                name,
                dict(zip(dimensions[::2], dimensions[1::2], strict=True)),
            )


def widgets(stack: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        stack.properties("Dashboard")["DashboardBody"]
    )["widgets"]
    return found


def texts(path: Path) -> set[str]:
    """Every literal text in a module."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {
        it.value
        for it in nodes
        if isinstance(it, ast.Constant) and isinstance(it.value, str)
    }
