"""The predict function as its image has it: without TensorFlow, AWS SDKs and other slow imports."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.checkout import ROOT
from tests.conftest import sample_event

Event = dict[str, Any]
Send = Callable[..., list[dict[str, Any]]]

FORBIDDEN = (
    "tensorflow",
    "keras",
    "botocore",
    "boto3",
    "pydantic",
    "aws_xray_sdk",
    "scipy",
    "asyncio",
)
EVENT = sample_event("predict")
VARIABLES = {
    "PYTHONPATH": os.pathsep.join(
        str(ROOT / part) for part in ("layers/shared", "functions/predict")
    ),
    "POWERTOOLS_SERVICE_NAME": "predict",
    "POWERTOOLS_METRICS_NAMESPACE": "digits",
}

# An import of a name that is None in sys.modules fails like an import of a missing module.
FORBID = f"import sys; sys.modules.update(dict.fromkeys({FORBIDDEN}))"
ANSWER = f"""
{FORBID}
import json
import app
for event in json.load(sys.stdin):
    print(json.dumps(app.handler(event, None)), file=sys.stderr)
# Pillow does without a missing reader of another format, so None would not show the import.
assert "PIL.JpegImagePlugin" not in sys.modules
"""


def run_python(
    code: str, store: Path, stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code],
        input=stdin,
        env=VARIABLES | {"DIGITS_STORE": store.as_uri()},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.fixture
def send(tmp_path: Path) -> Send:
    """Send events to the function, in a process of its own, and return the responses."""

    def send(*events: Event) -> list[dict[str, Any]]:
        process = run_python(ANSWER, tmp_path, json.dumps(events))
        lines = process.stderr.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    return send


def test_a_digit_is_read_without_slow_imports(send: Send) -> None:
    (response,) = send(EVENT)
    assert response["statusCode"] == 200
    assert json.loads(response["body"])["prediction"] == 8


def test_the_case_of_a_headers_name_does_not_matter(send: Send) -> None:
    names = ("content-type", "CONTENT-TYPE")
    events = [{**EVENT, "headers": {name: "image/png; a=b"}} for name in names]
    assert [response["statusCode"] for response in send(*events)] == [200, 200]


def test_an_unknown_route_is_refused(send: Send) -> None:
    (response,) = send({**EVENT, "resource": "/nowhere"})
    assert response["statusCode"] == 404


def test_each_refusal_says_what_to_do(send: Send) -> None:
    mebibyte_and_more = base64.b64encode(bytes((1 << 20) + 10_000)).decode()
    refusals: dict[str, Event] = {
        "The Content-Type is missing. Send a PNG, with Content-Type: image/png.": {
            "headers": {}
        },
        "The Content-Type is text/plain. Send a PNG, with Content-Type: image/png.": {
            "headers": {"Content-Type": "text/plain"}
        },
        "The request's body is empty. Send a PNG as the body.": {"body": None},
        "The request's body is text. Send a PNG as the body.": {
            "isBase64Encoded": False
        },
        "The PNG has 1.01 MiB, and the limit is 1 MiB. Send a smaller PNG.": {
            "body": mebibyte_and_more
        },
        "The parameter accept is 'all'. Use accept=any, or leave accept out.": {
            "queryStringParameters": {"accept": "all"}
        },
    }
    responses = send(*({**EVENT, **change} for change in refusals.values()))
    problems = [json.loads(response["body"]) for response in responses]
    assert [problem["detail"] for problem in problems] == list(refusals)


def test_an_unexpected_error_is_left_to_lambda(send: Send) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        send({"httpMethod": "POST", "resource": "/predict"})
    assert "KeyError" in failed.value.stderr


def test_each_route_has_a_handler_and_a_description(tmp_path: Path) -> None:
    code = """
import app
from digits.routes import OPERATIONS
print(app.HANDLERS.keys() == OPERATIONS.keys())
"""
    assert run_python(code, tmp_path).stdout.strip() == "True"


def test_numpy_is_told_to_start_no_threads_before_its_import(tmp_path: Path) -> None:
    code = """
import os, sys
import first_look
print("numpy" in sys.modules, os.environ["OPENBLAS_NUM_THREADS"])
"""
    assert run_python(code, tmp_path).stdout.split() == ["False", "1"]
