"""The sample events in events/, each handled by its function as a deployed one would be."""

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
CONTEXT = SimpleNamespace(
    function_name="", memory_limit_in_mb=0, invoked_function_arn="", aws_request_id=""
)

Event = dict[str, Any]
Load = Callable[[str, Store], ModuleType]


def test_there_is_a_sample_for_each_function() -> None:
    assert {path.stem for path in EVENTS.iterdir()} == {
        "predict",
        "train",
        "job-failed",
        "upload",
    }


def test_predict_reads_the_example_on_it(
    file_store: Store, load_function: Load
) -> None:
    event = sample_event("predict")
    assert base64.b64decode(event["body"]) == (ROOT / "example" / "8.png").read_bytes()
    answer = load_function("predict", file_store).handler(event, CONTEXT)
    assert (answer["statusCode"], json.loads(answer["body"])["prediction"]) == (200, 8)


def test_train_starts_the_training_on_it(
    service: Service, load_function: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, store = sample_event("train"), Store(service.store_url)
    monkeypatch.setattr(
        boto3, "DEFAULT_SESSION", None
    )  # It keeps the keys that it was made with.
    for name, value in service.variables().items():
        if name.startswith(("AWS_", "DIGITS_")):
            monkeypatch.setenv(name, value)
    convert(store, json.loads(event["body"])["dataset"], ROOT / "data" / "starter.npz")
    answer = load_function("train", store).handler(event, CONTEXT)
    job_id = json.loads(answer["body"])["job_id"]
    location = next(iter(answer["multiValueHeaders"]["Location"]))
    assert (answer["statusCode"], location) == (202, f"/v1/train/{job_id}")
    state = service.client.get(f"/train/{job_id}").json()
    assert (state["dataset"], state["parameters"]["epochs"]) == ("starter", 1)
    service.client.delete(f"/train/{job_id}").raise_for_status()


def test_train_takes_note_of_the_job_that_failed(
    file_store: Store,
    small_npz: Path,
    load_function: Load,
    capsys: pytest.CaptureFixture[str],
) -> None:
    event = sample_event("job-failed")
    dataset = convert(file_store, "small", small_npz)
    jobs.create_job(
        file_store, Request.new(event["detail"]["jobName"], dataset, Parameters())
    )
    assert load_function("train", file_store).handler(event, CONTEXT) is None
    result = jobs.load_result(file_store, event["detail"]["jobName"])
    assert result
    assert result.status == "FAILED"
    assert "out of memory" in result.reason
    assert '"FailedTrainings":[1' in capsys.readouterr().out


def test_a_cancelled_training_is_not_counted_as_failed(
    file_store: Store,
    small_npz: Path,
    load_function: Load,
    capsys: pytest.CaptureFixture[str],
) -> None:
    event = sample_event("job-failed")
    app = load_function("train", file_store)
    dataset = convert(file_store, "small", small_npz)
    jobs.create_job(
        file_store, Request.new(event["detail"]["jobName"], dataset, Parameters())
    )
    app.trainings.cancel(event["detail"]["jobName"])
    app.handler(event, CONTEXT)
    assert "FailedTrainings" not in capsys.readouterr().out


def test_convert_takes_the_upload_on_it(
    file_store: Store, small_npz: Path, load_function: Load
) -> None:
    event = sample_event("upload")
    file_store.write(event["detail"]["object"]["key"], small_npz.read_bytes())
    answer = load_function("convert", file_store).handler(event, CONTEXT)
    assert answer["status"] == "converted"
    assert latest_version(file_store, "starter").version == answer["version"]
