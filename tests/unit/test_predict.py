"""The predict function as its image has it: with neither TensorFlow nor an AWS SDK, nor anything as slow to import."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.checkout import ROOT
from tests.conftest import sample_event

FORBIDDEN = ("tensorflow", "keras", "botocore", "boto3", "pydantic", "aws_xray_sdk", "scipy", "asyncio")
EVENT = sample_event("predict")

# Importing a name that is None in sys.modules fails as if there were no such module.
ANSWER = f"""
import json, sys
sys.modules.update(dict.fromkeys({FORBIDDEN}))
import app
for event in json.load(sys.stdin):
    print(json.dumps(app.handler(event, None)), file=sys.stderr)
# Pillow goes on without its readers of other formats, so that None there would show nothing.
assert "PIL.JpegImagePlugin" not in sys.modules
"""


@pytest.fixture
def answers(tmp_path: Path) -> Any:
    """The function's answers to events, in a process of its own."""

    def ask(*events: dict[str, Any]) -> list[dict[str, Any]]:
        path = os.pathsep.join(str(ROOT / part) for part in ("layers/shared", "functions/predict"))
        variables = {
            "PYTHONPATH": path,
            "DIGITS_STORE": tmp_path.as_uri(),
            "POWERTOOLS_SERVICE_NAME": "predict",
            "POWERTOOLS_METRICS_NAMESPACE": "digits",
        }
        run = subprocess.run(
            [sys.executable, "-c", ANSWER],
            input=json.dumps(events),
            env=variables,
            capture_output=True,
            text=True,
            check=True,
        )
        return [json.loads(line) for line in run.stderr.splitlines() if line.startswith("{")]

    return ask


def test_a_digit_is_read_without_what_would_slow_the_first_answer(answers: Any) -> None:
    (answer,) = answers(EVENT)
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["prediction"] == 8


def test_headers_count_in_any_case(answers: Any) -> None:
    events = [{**EVENT, "headers": {name: "image/png; a=b"}} for name in ("content-type", "CONTENT-TYPE")]
    assert [answer["statusCode"] for answer in answers(*events)] == [200, 200]


def test_an_event_that_is_none_of_api_gateways_is_answered_without_details(answers: Any) -> None:
    unknown, broken = answers({**EVENT, "resource": "/nowhere"}, {"httpMethod": "POST", "resource": "/predict"})
    assert unknown["statusCode"] == 404
    assert broken["statusCode"] == 500
    assert "KeyError" not in broken["body"]
