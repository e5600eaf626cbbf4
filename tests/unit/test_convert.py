"""The convert function, with events as EventBridge sends them."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from digits.datasets import latest_version
from digits.errors import StoreError
from digits.store import Store
from tests.conftest import sample_event

Handler = Callable[..., dict[str, Any]]


def object_created(key: str, bucket: str = "digits-tests") -> dict[str, Any]:
    """EventBridge's event for an object of this key."""
    event = sample_event("upload")
    event["detail"]["bucket"]["name"] = bucket
    event["detail"]["object"]["key"] = key
    return event


@pytest.fixture
def app(store: Store, load_function: Callable[[str, Store], ModuleType]) -> ModuleType:
    return load_function("convert", store)


@pytest.fixture
def send(app: ModuleType, store: Store) -> Callable[[str], dict[str, Any]]:
    """Sends the handler the event that an object of the store was created."""
    prefix = f"{prefix_of(store)}/" if store.url.startswith("s3:") else ""

    def send(key: str) -> dict[str, Any]:
        answer: dict[str, Any] = app.handler(object_created(prefix + key), None)
        return answer

    return send


def prefix_of(s3_store: Store) -> str:
    """The store's folder in the bucket."""
    return s3_store.url.split("/", 3)[3]


def metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """The metrics on standard output, in one document of CloudWatch's embedded metric format."""
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if '"_aws"' in line]
    document = json.loads(line)
    assert document["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Digits"
    values = {}
    for name, value in document.items():
        if isinstance(value, list):
            (values[name],) = value
    return values


def test_an_upload_is_converted(
    send: Handler, store: Store, small_npz: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.write("raw/small.npz", small_npz.read_bytes())
    answer = send("raw/small.npz")
    assert answer == {
        "status": "converted",
        "dataset": "small",
        "version": "1.0.0",
        "counts": {"train": 37, "test": 11},
    }
    assert json.loads(json.dumps(answer)) == answer
    assert latest_version(store, "small").version == "1.0.0"
    assert metrics(capsys) == {"UploadEvents": 1, "ConvertedExamples": 48}


def test_a_repeated_event_converts_nothing(
    send: Handler, store: Store, small_npz: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.write("raw/small.npz", small_npz.read_bytes())
    first = send("raw/small.npz")
    before = store.entries("")
    capsys.readouterr()
    assert send("raw/small.npz") == first
    assert store.entries("") == before
    assert metrics(capsys) == {"UploadEvents": 1, "ConvertedExamples": 0}


def test_a_late_event_converts_the_current_upload(
    send: Handler, store: Store, small_npz: Path, make_npz: Callable[..., Path]
) -> None:
    """Two uploads to one key before both events give one version, of the second upload."""
    store.write("raw/small.npz", small_npz.read_bytes())
    newer = make_npz(y_test=np.zeros(11, np.uint8)).read_bytes()
    store.write("raw/small.npz", newer)
    assert [send("raw/small.npz")["version"] for _ in range(2)] == ["1.0.0", "1.0.0"]


def test_an_event_of_a_deleted_upload_does_nothing(
    send: Handler, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send("raw/small.npz") == {"status": "gone", "dataset": "small"}
    assert store.entries("") == []
    assert metrics(capsys) == {"UploadEvents": 1}


@pytest.mark.parametrize("name", ["small", "Bad-Name", "a/b"])
def test_a_refused_upload_is_logged_and_not_retried(
    send: Handler,
    store: Store,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    store.write(f"raw/{name}.npz", b"not a zip")
    answer = send(f"raw/{name}.npz")
    assert (answer["status"], answer["dataset"]) == ("refused", name)
    assert answer["reason"]
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    logged = vars(warning)
    assert (logged["dataset"], logged["reason"]) == (name, answer["reason"])
    assert metrics(capsys) == {"UploadEvents": 1, "RefusedUploads": 1}


@pytest.mark.parametrize(
    "key",
    [
        "raw/small.txt",
        "raw/.npz",
        "small.npz",
        "x/raw/small.npz",
        "datasets/raw/1.0.0/source.json",
    ],
)
def test_other_objects_are_ignored(send: Handler, store: Store, key: str) -> None:
    assert send(key)["status"] == "ignored"
    assert store.entries("") == []


@pytest.mark.parametrize(
    ("store_url", "key", "name"),
    [
        ("s3://bucket", "raw/small.npz", "small"),
        ("s3://bucket/", "raw/small.npz", "small"),
        ("s3://bucket/a/b", "a/b/raw/small.npz", "small"),
        ("s3://bucket/a", "raw/small.npz", None),
        ("s3://bucket/a", "b/raw/small.npz", None),
        ("s3://bucket/a.c", "abc/raw/small.npz", None),
        ("s3://bucket", "raw/%6dnist+.npz", "%6dnist+"),
        ("file:///folder/store", "raw/small.npz", "small"),
    ],
)
def test_a_key_gives_the_dataset_s_name(
    app: ModuleType, store_url: str, key: str, name: str | None
) -> None:
    assert app.upload_name(store_url, key) == name


def test_an_outage_raises_so_that_lambda_retries(
    s3_store: Store,
    load_function: Callable[[str, Store], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    app = load_function("convert", s3_store)
    impatient = Store(s3_store.url, patience=timedelta(seconds=0.5))
    monkeypatch.setattr(app, "store", impatient)
    event = object_created(f"{prefix_of(s3_store)}/raw/small.npz")
    with pytest.raises(StoreError):
        app.handler(event, None)
