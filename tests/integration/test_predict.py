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
        run = subprocess.run(
            [sys.executable, "-c", ANSWER],
            input=json.dumps(events),
            env=VARIABLES | {"DIGITS_STORE": tmp_path.as_uri()},
            capture_output=True,
            text=True,
            check=True,
        )
        return [
            json.loads(line) for line in run.stderr.splitlines() if line.startswith("{")
        ]

    return ask


def test_a_digit_is_read_without_what_would_slow_the_first_answer(answers: Any) -> None:
    (answer,) = answers(EVENT)
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["prediction"] == 8


def test_headers_count_in_any_case(answers: Any) -> None:
    events = [
        {**EVENT, "headers": {name: "image/png; a=b"}}
        for name in ("content-type", "CONTENT-TYPE")
    ]
    assert [answer["statusCode"] for answer in answers(*events)] == [200, 200]


def test_what_api_gateway_would_have_stopped_is_answered(answers: Any) -> None:
    (unknown,) = answers({**EVENT, "resource": "/nowhere"})
    assert unknown["statusCode"] == 404


def test_a_fault_of_ours_is_lambdas_to_log_and_to_count(answers: Any) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        answers({"httpMethod": "POST", "resource": "/predict"})
    assert "KeyError" in failed.value.stderr


def test_numpy_comes_after_it_was_told_to_start_no_threads(tmp_path: Path) -> None:
    tell = "import first_look, os, sys; print('numpy' in sys.modules, os.environ['OPENBLAS_NUM_THREADS'])"
    variables = VARIABLES | {"DIGITS_STORE": tmp_path.as_uri()}
    run = subprocess.run(
        [sys.executable, "-c", tell],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["False", "1"]
