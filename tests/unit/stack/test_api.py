"""Who may call what, how often, and what is written down of it."""

import json
import re
from pathlib import Path
from string import Template

import pytest

from digits.routes import OPERATIONS
from local import template
from tests.stack import Stack

ROOT = Path(__file__).parents[3]

# A new route needs a line here: a decision about who may call it.
CALLERS = {
    "POST /predict": "api_key",
    "GET /health": "NONE",
    "GET /": "NONE",
    "GET /docs": "NONE",
    "GET /openapi.json": "NONE",
    "POST /train": "AWS_IAM",
    "GET /train": "AWS_IAM",
    "GET /train/{job_id}": "AWS_IAM",
    "DELETE /train/{job_id}": "AWS_IAM",
    "GET /models": "AWS_IAM",
    "GET /models/{version}": "AWS_IAM",
    "GET /models/{version}/report": "AWS_IAM",
    "POST /models/{version}/release": "AWS_IAM",
    "GET /datasets": "AWS_IAM",
    "POST /datasets": "AWS_IAM",
}
# What API Gateway puts in place of its variables; all others are text.
VARIABLES = {
    "context_status": "200",
    "context_responseLatency": "12",
    "context_responseLength": "345",
}


def test_each_route_asks_for_what_was_decided(stack: Stack) -> None:
    paths = stack.properties("Api")["Body"]["paths"]
    asked = {
        f"{method.upper()} {path}": it["security"]
        for path, them in paths.items()
        for method, it in them.items()
    }
    assert asked == {route: [{caller: []}] for route, caller in CALLERS.items()}
    schemes = stack.properties("Api")["Body"]["components"]["securitySchemes"]
    assert schemes["AWS_IAM"]["x-amazon-apigateway-authtype"] == "awsSigv4"


def test_the_local_gateway_has_the_same_routes() -> None:
    assert {
        f"{it.method} {it.path}"
        for it in template.read_template(ROOT / "template.yaml").routes
    } == set(CALLERS)


def test_the_template_has_a_path_for_each_route_of_predict() -> None:
    parsed = template.read_template(ROOT / "template.yaml")
    routes = set()
    for route in parsed.routes:
        if parsed.functions[route.function].folder == "functions/predict":
            routes.add((route.method, route.path))
    assert routes == set(OPERATIONS)


def test_a_caller_of_the_api_needs_no_permission_for_its_functions(
    stack: Stack,
) -> None:
    for methods in stack.properties("Api")["Body"]["paths"].values():
        for method in methods.values():
            assert "credentials" not in method["x-amazon-apigateway-integration"]


def test_pngs_arrive_as_they_were_sent(stack: Stack) -> None:
    assert stack.properties("Api")["BinaryMediaTypes"] == ["image/png"]


def test_the_key_of_the_stack_is_in_the_usage_plan_of_its_stage(stack: Stack) -> None:
    plan = stack.properties("ApiUsagePlan")
    assert plan["ApiStages"] == [{"ApiId": "Api", "Stage": "Apiv1Stage"}]
    link = stack.properties("ApiUsagePlanKey")
    assert (link["KeyId"], link["UsagePlanId"]) == ("ApiApiKey", "ApiUsagePlan")
    assert stack.outputs["ApiKey"] == "ApiApiKey"


@pytest.mark.parametrize("rate", ["50", "7"])
def test_each_key_has_its_rate(rate: str) -> None:
    throttle = Stack({"PredictRate": rate}).properties("ApiUsagePlan")["Throttle"]
    assert {str(limit) for limit in throttle.values()} == {rate}


def test_no_route_can_be_called_without_limit(stack: Stack) -> None:
    settings = stack.properties("Apiv1Stage")["MethodSettings"]
    limits = {
        (it["ResourcePath"], it["HttpMethod"]): it["ThrottlingRateLimit"]
        for it in settings
    }
    assert limits[("/*", "*")] <= 20
    # All keys together: more than the plan gives to one.
    assert (
        limits[("/~1predict", "POST")]
        > stack.properties("ApiUsagePlan")["Throttle"]["RateLimit"]
    )


def test_the_gateways_own_refusals_are_problems_too(stack: Stack) -> None:
    responses = stack.properties("Api")["Body"]["x-amazon-apigateway-gateway-responses"]
    assert set(responses) == {"DEFAULT_4XX", "DEFAULT_5XX"}
    for response in responses.values():
        media_type = response["responseParameters"][
            "gatewayresponse.header.Content-Type"
        ]
        assert media_type == "'application/problem+json'"
        # The one variable that comes with its quotes.
        text = substitute(
            response["responseTemplates"]["application/json"],
            context_error_messageString='"No \\"key\\""',
        )
        problem = json.loads(text)
        assert problem["type"].startswith("urn:digits:")
        assert problem["detail"] == 'No "key"'


def test_each_request_is_a_line_of_json_in_a_log_that_ends(stack: Stack) -> None:
    log = stack.properties("Apiv1Stage")["AccessLogSetting"]
    assert log["DestinationArn"] == "ApiLogs.Arn"
    assert stack.properties("ApiLogs")["RetentionInDays"] == 30
    line = json.loads(substitute(log["Format"]))
    assert (line["status"], line["ms"]) == (200, 12)
    assert {
        "api_key",
        "caller",
        "error",
        "ip",
        "method",
        "path",
        "request_id",
        "time",
        "xray",
    } < set(line)
    assert stack.properties("Apiv1Stage")["TracingEnabled"]


def test_the_curl_line_is_a_prediction(stack: Stack) -> None:
    line = stack.outputs["Curl"]
    assert line.endswith(f"{stack.outputs['Url']}/predict")
    assert "x-api-key: $(aws apigateway get-api-key" in line
    assert "Content-Type: image/png" in line
    (file,) = re.findall(r"@(\S+)", line)
    assert (ROOT / file).is_file()


def substitute(text: str, **variables: str) -> str:
    """`$context.a.b` replaced as API Gateway does."""
    names = re.findall(r"\$(context[.\w]+)", text)
    flat = Template(
        re.sub(r"\$context[.\w]+", lambda match: match[0].replace(".", "_"), text)
    )
    return flat.substitute(
        {name.replace(".", "_"): "text" for name in names} | VARIABLES | variables
    )
