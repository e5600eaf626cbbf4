"""Each function handles its sample event in events/."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest

from digits import jobs
from digits.datasets import convert, latest_version
from digits.jobs import Request
from digits.parameters import Parameters
from digits.store import Store
from tests.conftest import ROOT, sample_event
from tests.integration.conftest import Service

EVENTS = ROOT / "events"
SAMPLES = {"predict", "train", "job-failed", "upload"}
CONTEXT = SimpleNamespace(
    function_name="", memory_limit_in_mb=0, invoked_function_arn="", aws_request_id=""
)

Event = dict[str, Any]
Load = Callable[[str, Store], ModuleType]


def test_there_is_a_sample_for_each_function() -> None:
    assert {path.stem for path in EVENTS.iterdir()} == SAMPLES


def test_predict_reads_the_example_picture(
    file_store: Store, load_function: Load
) -> None:
    event = sample_event("predict")
    png = (ROOT / "example" / "8.png").read_bytes()
    assert base64.b64decode(event["body"]) == png
    answer = load_function("predict", file_store).handler(event, CONTEXT)
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["prediction"] == 8


def test_train_submits_a_job(
    service: Service, load_function: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = sample_event("train")
    store = Store(service.store_url)
    # A session that another test made would keep the credentials of that test.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name, value in service.variables().items():
        if name.startswith(("AWS_", "DIGITS_")):
            monkeypatch.setenv(name, value)
    dataset = json.loads(event["body"])["dataset"]
    convert(store, dataset, ROOT / "data" / "starter.npz")
    answer = load_function("train", store).handler(event, CONTEXT)
    job_id = json.loads(answer["body"])["job_id"]
    (location,) = answer["multiValueHeaders"]["Location"]
    assert (answer["statusCode"], location) == (202, f"/v1/train/{job_id}")
    state = service.client.get(f"/train/{job_id}").json()
    assert (state["dataset"], state["parameters"]["epochs"]) == ("starter", 1)
    service.client.delete(f"/train/{job_id}").raise_for_status()


@pytest.fixture
def failed_job_event(file_store: Store, small_npz: Path) -> Event:
    """The sample event of a failed job, whose request is in the store."""
    event = sample_event("job-failed")
    dataset = convert(file_store, "small", small_npz)
    request = Request.new(event["detail"]["jobName"], dataset, Parameters())
    jobs.create_job(file_store, request)
    return event


def test_train_records_a_failed_job(
    file_store: Store,
    load_function: Load,
    failed_job_event: Event,
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = load_function("train", file_store)
    assert app.handler(failed_job_event, CONTEXT) is None
    result = jobs.load_result(file_store, failed_job_event["detail"]["jobName"])
    assert result
    assert result.status == "FAILED"
    assert "out of memory" in result.reason
    assert '"FailedTrainings":[1' in capsys.readouterr().out


def test_a_cancelled_training_is_not_counted_as_failed(
    file_store: Store,
    load_function: Load,
    failed_job_event: Event,
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = load_function("train", file_store)
    app.trainings.cancel(failed_job_event["detail"]["jobName"])
    app.handler(failed_job_event, CONTEXT)
    assert "FailedTrainings" not in capsys.readouterr().out


def test_convert_converts_an_upload(
    file_store: Store, small_npz: Path, load_function: Load
) -> None:
    event = sample_event("upload")
    file_store.write(event["detail"]["object"]["key"], small_npz.read_bytes())
    answer = load_function("convert", file_store).handler(event, CONTEXT)
    assert answer["status"] == "converted"
    assert latest_version(file_store, "starter").version == answer["version"]
