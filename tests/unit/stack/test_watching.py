"""The metrics of alarms and of the dashboard, and the actions of alarms."""

import ast
import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.stack import Stack

ROOT = Path(__file__).parents[3]
# The width of a dashboard of CloudWatch.
DASHBOARD_COLUMNS = 24
# Metrics of AWS by namespace and dimensions, from the documentation of each service.
AWS_METRICS = {
    ("AWS/ApiGateway", ("ApiName", "Stage")): {
        "4XXError",
        "5XXError",
        "Count",
        "Latency",
    },
    ("AWS/Lambda", ("FunctionName",)): {"ConcurrentExecutions", "Errors", "Throttles"},
    ("AWS/Lambda", ("FunctionName", "Resource")): {"Duration", "Errors", "Throttles"},
    ("AWS/Lambda", ("FunctionName", "Resource", "ExecutedVersion")): {
        "Duration",
        "Errors",
    },
    ("AWS/SQS", ("QueueName",)): {"ApproximateNumberOfMessagesVisible"},
}


class Metric(NamedTuple):
    namespace: str
    name: str
    dimensions: dict[str, str]


def test_every_watched_metric_exists(stack: Stack) -> None:
    texts: set[str] = set()
    for path in (ROOT / "functions").glob("*/app.py"):
        texts |= string_literals(path)
    variables = stack.properties("Predict")["Environment"]["Variables"]
    service = variables["POWERTOOLS_SERVICE_NAME"]
    watched = [*alarm_metrics(stack), *dashboard_metrics(stack)]
    assert len(watched) > 20
    for metric in watched:
        if metric.namespace == "Digits":
            assert metric.name in texts
            assert metric.dimensions == {"service": service}
        else:
            names = AWS_METRICS[metric.namespace, tuple(metric.dimensions)]
            assert metric.name in names


def test_functions_write_metrics_to_the_watched_namespace(stack: Stack) -> None:
    for function in ("Predict", "Train", "Convert"):
        variables = stack.properties(function)["Environment"]["Variables"]
        assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "Digits"


def test_the_rejections_alarm_counts_missing_metrics_as_zero(stack: Stack) -> None:
    """When predict rejects every picture, CloudWatch has no value for the predictions."""
    queries = stack.properties("Rejections")["Metrics"]
    metrics = [query["Id"] for query in queries if "MetricStat" in query]
    assert len(metrics) == 2
    expressions = " ".join(
        query["Expression"] for query in queries if "Expression" in query
    )
    for metric in metrics:
        assert 0 < expressions.count(metric) == expressions.count(f"FILL({metric}, 0)")


def test_the_dashboard_shows_exactly_the_alarms_of_the_stack(stack: Stack) -> None:
    (widget,) = (item for item in widgets(stack) if item["type"] == "alarm")
    alarms = stack.of_type("AWS::CloudWatch::Alarm")
    assert set(widget["properties"]["alarms"]) == {f"{name}.Arn" for name in alarms}


def test_widgets_of_the_dashboard_do_not_overlap(stack: Stack) -> None:
    cells: list[tuple[int, int]] = []
    for widget in widgets(stack):
        columns = range(widget["x"], widget["x"] + widget["width"])
        rows = range(widget["y"], widget["y"] + widget["height"])
        cells += product(columns, rows)
    assert len(cells) == len(set(cells))
    assert max(column for column, _ in cells) == DASHBOARD_COLUMNS - 1


def test_every_alarm_sends_an_email_and_is_in_the_manual() -> None:
    stack = Stack({"AlarmEmail": "you@example.org"})
    (subscription,) = stack.of_type("AWS::SNS::Subscription").values()
    assert subscription == {
        "TopicArn": "AlarmTopic",
        "Protocol": "email",
        "Endpoint": "you@example.org",
    }
    manual = (ROOT / "docs" / "operations.md").read_text()
    for name, alarm in stack.of_type("AWS::CloudWatch::Alarm").items():
        assert alarm["AlarmActions"] == ["AlarmTopic"]
        # A service without requests writes no metrics, which is no error.
        assert alarm["TreatMissingData"] == "notBreaching"
        assert f"\n| {name} | " in manual


def test_emails_of_alarms_are_optional(stack: Stack) -> None:
    assert stack.of_type("AWS::SNS::Subscription") == {}


@pytest.mark.parametrize(
    "failure", ["5XXError", "Duration", "Throttles", "FailedTrainings", "Rejections"]
)
def test_there_is_an_alarm_for_each_kind_of_failure(stack: Stack, failure: str) -> None:
    assert failure in {metric.name for metric in alarm_metrics(stack)}


def alarm_metrics(stack: Stack) -> Iterator[Metric]:
    for alarm in stack.of_type("AWS::CloudWatch::Alarm").values():
        queries = alarm.get("Metrics", [{"MetricStat": {"Metric": alarm}}])
        for query in queries:
            if "MetricStat" not in query:
                continue
            metric = query["MetricStat"]["Metric"]
            dimensions = {item["Name"]: item["Value"] for item in metric["Dimensions"]}
            yield Metric(metric["Namespace"], metric["MetricName"], dimensions)


def dashboard_metrics(stack: Stack) -> Iterator[Metric]:
    """The metric of each row of each widget.

    In a row, `.` repeats the cell above, and `...` repeats the whole row above.
    """
    for widget in widgets(stack):
        above: list[str] = []
        for row in widget["properties"].get("metrics", []):
            cells = [cell for cell in row if isinstance(cell, str)]
            if cells != ["..."]:
                for column, cell in enumerate(cells):
                    if cell == ".":
                        cells[column] = above[column]
                above = cells
            namespace, name, *dimensions = above
            pairs = zip(dimensions[::2], dimensions[1::2], strict=True)
            yield Metric(namespace, name, dict(pairs))


def widgets(stack: Stack) -> list[dict[str, Any]]:
    dashboard = json.loads(stack.properties("Dashboard")["DashboardBody"])
    widgets: list[dict[str, Any]] = dashboard["widgets"]
    return widgets


def string_literals(path: Path) -> set[str]:
    """The string literals of a module."""
    literals: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            literals.add(node.value)
    return literals
