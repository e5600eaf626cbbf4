"""Authorization, rate limits, error bodies and access logs of the API."""

import json
import re
from pathlib import Path
from string import Template

import pytest

from digits.routes import OPERATIONS
from local import template
from tests.stack import Stack

ROOT = Path(__file__).parents[3]

# The authorizer of each route. A new route needs a line here.
AUTHORIZERS = {
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
# Values for the variables of API Gateway that are numbers; the other variables are text.
VARIABLES = {
    "context_status": "200",
    "context_responseLatency": "12",
    "context_responseLength": "345",
}
LOGGED_FIELDS = {
    "api_key",
    "caller",
    "error",
    "ip",
    "method",
    "path",
    "request_id",
    "time",
    "xray",
}


def test_each_route_has_its_authorizer(stack: Stack) -> None:
    operations = stack.operations()
    assert operations.keys() == AUTHORIZERS.keys()
    for route, authorizer in AUTHORIZERS.items():
        assert operations[route]["security"] == [{authorizer: []}], route
    schemes = stack.properties("Api")["Body"]["components"]["securitySchemes"]
    assert schemes["AWS_IAM"]["x-amazon-apigateway-authtype"] == "awsSigv4"


def test_the_local_gateway_has_the_same_routes() -> None:
    routes = template.read_template(ROOT / "template.yaml").routes
    assert {f"{route.method} {route.path}" for route in routes} == set(AUTHORIZERS)


def test_the_routes_of_predict_are_the_operations_of_predict() -> None:
    parsed = template.read_template(ROOT / "template.yaml")
    routes = set()
    for route in parsed.routes:
        if parsed.functions[route.function].folder == "functions/predict":
            routes.add((route.method, route.path))
    assert routes == set(OPERATIONS)


def test_callers_of_the_api_need_no_permission_for_the_functions(stack: Stack) -> None:
    for operation in stack.operations().values():
        assert "credentials" not in operation["x-amazon-apigateway-integration"]


def test_png_bodies_are_binary(stack: Stack) -> None:
    assert stack.properties("Api")["BinaryMediaTypes"] == ["image/png"]


def test_the_usage_plan_of_the_stage_has_the_api_key(stack: Stack) -> None:
    plan = stack.properties("ApiUsagePlan")
    assert plan["ApiStages"] == [{"ApiId": "Api", "Stage": "Apiv1Stage"}]
    link = stack.properties("ApiUsagePlanKey")
    assert (link["KeyId"], link["UsagePlanId"]) == ("ApiApiKey", "ApiUsagePlan")
    assert stack.outputs["ApiKey"] == "ApiApiKey"


@pytest.mark.parametrize("rate", ["50", "7"])
def test_the_rate_of_each_api_key_is_a_parameter(rate: str) -> None:
    throttle = Stack({"PredictRate": rate}).properties("ApiUsagePlan")["Throttle"]
    assert {str(limit) for limit in throttle.values()} == {rate}


def test_every_route_has_a_rate_limit(stack: Stack) -> None:
    settings = stack.properties("Apiv1Stage")["MethodSettings"]
    limits: dict[tuple[str, str], float] = {}
    for setting in settings:
        route = (setting["ResourcePath"], setting["HttpMethod"])
        limits[route] = setting["ThrottlingRateLimit"]
    assert limits[("/*", "*")] <= 20
    # The limit of the route is for all keys together, so several keys fit.
    key_limit = stack.properties("ApiUsagePlan")["Throttle"]["RateLimit"]
    assert limits[("/~1predict", "POST")] > key_limit


def test_error_responses_of_the_gateway_are_problem_documents(stack: Stack) -> None:
    responses = stack.properties("Api")["Body"]["x-amazon-apigateway-gateway-responses"]
    assert set(responses) == {"DEFAULT_4XX", "DEFAULT_5XX"}
    for response in responses.values():
        headers = response["responseParameters"]
        media_type = headers["gatewayresponse.header.Content-Type"]
        assert media_type == "'application/problem+json'"
        body = response["responseTemplates"]["application/json"]
        # API Gateway writes the quotes around the value of this variable.
        text = substitute(body, context_error_messageString='"No \\"key\\""')
        problem = json.loads(text)
        assert problem["type"].startswith("urn:digits:")
        assert problem["detail"] == 'No "key"'


def test_the_access_log_has_a_line_of_json_per_request_and_expires(
    stack: Stack,
) -> None:
    log = stack.properties("Apiv1Stage")["AccessLogSetting"]
    assert log["DestinationArn"] == "ApiLogs.Arn"
    assert stack.properties("ApiLogs")["RetentionInDays"] == 30
    line = json.loads(substitute(log["Format"]))
    assert (line["status"], line["ms"]) == (200, 12)
    assert line.keys() > LOGGED_FIELDS
    assert stack.properties("Apiv1Stage")["TracingEnabled"]


def test_the_curl_command_of_the_outputs_predicts(stack: Stack) -> None:
    line = stack.outputs["Curl"]
    assert line.endswith(f"{stack.outputs['Url']}/predict")
    assert "x-api-key: $(aws apigateway get-api-key" in line
    assert "Content-Type: image/png" in line
    (file,) = re.findall(r"@(\S+)", line)
    assert (ROOT / file).is_file()


def substitute(text: str, **variables: str) -> str:
    """Replace the variables of API Gateway, such as `$context.error.message`."""
    values: dict[str, str] = {}
    # Python's templates allow no dots in names. The longest names come first,
    # because `$context.error` is a part of `$context.error.message`.
    for name in sorted(re.findall(r"\$context[.\w]+", text), key=len, reverse=True):
        flat_name = name.removeprefix("$").replace(".", "_")
        text = text.replace(name, f"${{{flat_name}}}")
        values[flat_name] = "text"
    return Template(text).substitute(values | VARIABLES | variables)
