"""The service over HTTP with a model of its own: training, releases, damaged documents."""

import json
import re
import time
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from digits.jobs import Phase
from digits.store import Store
from tests.integration.answers import assert_problem
from tests.integration.bad_input import example
from tests.integration.conftest import Service

# Shorter than any real training, and long enough for a request during the training.
TINY = {"dataset": "tiny", "architecture": "lab", "epochs": 3, "batch_size": 32}
PATIENCE_SECONDS = 100
WAIT = {"Prefer": f"wait={PATIENCE_SECONDS}"}


def wait_until_it_answers(service: Service, version: str) -> None:
    """Wait for predictions by this model.

    A request waits 50 ms for the look for a release, and a busy machine takes longer.
    """

    def answers() -> bool:
        answer = service.predict(example(8), accept="any")
        return bool(answer.json()["model_version"] == version)

    service.wait(answers, 10)


def list_by(name: str, key: str, answer: httpx.Response) -> dict[str, Any]:
    """The items of a list in an answer, by one of their members."""
    items = answer.raise_for_status().json()[name]
    return {item[key]: item for item in items}


@pytest.fixture(scope="module")
def trained(service: Service, tiny_npz: Path) -> dict[str, Any]:
    """The answer to a training that the client waited for. The model is released by hand."""
    service.upload("tiny", tiny_npz)
    service.wait(lambda: bool(service.dataset("tiny").get("versions")), 30)
    answer = service.client.post("/train", json=TINY, headers=WAIT)
    assert answer.status_code == httpx.codes.OK, answer.text
    state: dict[str, Any] = answer.json()
    service.release(state["model_version"])
    return state


def test_the_answer_to_a_training_says_why_its_model_is_not_released(
    trained: dict[str, Any],
) -> None:
    assert trained["status"] == "SUCCEEDED", trained
    assert 0 < trained["accuracy"] <= 1
    assert not trained["released"]
    assert "lower than the live model's" in trained["reason"]


def test_a_released_model_answers_and_is_listed(
    service: Service, trained: dict[str, Any]
) -> None:
    version = trained["model_version"]
    wait_until_it_answers(service, version)
    listed = service.client.get("/models").json()
    assert listed["live"] == version
    assert listed["models"][-1]["version"] == "bundled"
    assert listed["models"][-1] == service.client.get("/models/bundled").json()
    manifest = service.client.get(f"/models/{version}").json()
    assert manifest["dataset"] == "tiny"
    assert manifest["metrics"]["accuracy"] == trained["accuracy"]


def test_a_training_writes_a_report_without_links_to_other_files(
    service: Service, trained: dict[str, Any]
) -> None:
    answer = service.client.get(f"/models/{trained['model_version']}/report")
    report = answer.raise_for_status()
    assert report.headers["content-type"] == "text/html; charset=utf-8"
    assert trained["model_version"] in report.text
    links = re.findall(r"""(?:src|href)=["']?([^"'\s>]{1,20})""", report.text)
    assert {link.partition(":")[0] for link in links} == {"data"}


def test_a_damaged_model_is_listed_with_its_problem(
    service: Service, trained: dict[str, Any]
) -> None:
    damaged = "20200101T000000Z-00000000"
    store = Store(service.store_url)
    store.write(f"models/{damaged}/manifest.json", b'{"schema_version": 0}')
    models = list_by("models", "version", service.client.get("/models"))
    assert "schema version is 0" in models[damaged]["problem"]
    model = models[trained["model_version"]]
    assert model["metrics"]["accuracy"] == trained["accuracy"]


@pytest.mark.long
def test_a_training_can_be_followed_and_rolled_back(
    service: Service, trained: dict[str, Any]
) -> None:
    key = {"Idempotency-Key": "follow"}
    answer = service.client.post("/train", json=TINY, headers=key)
    assert answer.status_code == httpx.codes.ACCEPTED
    again = service.client.post("/train", json=TINY, headers=key)
    assert again.json()["job_id"] == answer.json()["job_id"]

    states = follow(service, answer.headers["location"])
    words = list(dict.fromkeys(state["status"] for state in states))
    assert words[-2:] == ["RUNNING", "SUCCEEDED"]
    progress = [state["progress"] for state in states if state["progress"]]
    phases = list(dict.fromkeys(report["phase"] for report in progress))
    assert [phase for phase in get_args(Phase) if phase in phases] == phases
    assert {"fitting", "evaluating"} <= set(phases)
    # The same parameters trained the live model, so the new model is as good.
    assert states[-1]["released"]
    wait_until_it_answers(service, states[-1]["model_version"])

    service.release(trained["model_version"])
    wait_until_it_answers(service, trained["model_version"])


def follow(service: Service, location: str) -> list[dict[str, Any]]:
    """The states of a training until its end."""
    states: list[dict[str, Any]] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not states or states[-1]["status"] not in ("SUCCEEDED", "FAILED"):
        assert time.monotonic() < deadline
        states.append(service.client.get(location).raise_for_status().json())
        time.sleep(0.1)
    return states


def test_the_bundled_model_can_be_released(
    service: Service, trained: dict[str, Any]
) -> None:
    service.release("bundled")
    assert service.client.get("/models").json()["live"] == "bundled"
    bundled = service.client.get("/models/bundled").json()["model_version"]
    wait_until_it_answers(service, bundled)
    service.release(trained["model_version"])


def test_a_damaged_job_does_not_disturb_other_jobs(
    service: Service, trained: dict[str, Any]
) -> None:
    store = Store(service.store_url)
    good = json.loads(store.read(f"jobs/{trained['job_id']}/request.json"))
    parameters = {"renamed": 1}
    requests = {
        "nested": b"[" * 100_000,
        "no-zone": to_bytes(good | {"created": "2026-01-31T00:00:00"}),
        "no-parameters": to_bytes(good | {"parameters": None}),
        "newer": to_bytes(good | {"added": 1, "parameters": parameters}),
        "no-result": to_bytes(good),
    }
    results = {
        "newer": b'{"status": "FAILED", "reason": "", "finished": "2026-01-31T00:00:00Z"}',
        "no-result": b"",
    }
    for job_id, request in requests.items():
        own = request.replace(trained["job_id"].encode(), job_id.encode())
        store.write(f"jobs/{job_id}/request.json", own)
    for job_id, result in results.items():
        store.write(f"jobs/{job_id}/result.json", result)

    jobs = list_by("jobs", "job_id", service.client.get("/train"))
    assert jobs[trained["job_id"]]["status"] == "SUCCEEDED"
    assert jobs["newer"]["parameters"] == parameters
    damaged = {job_id for job_id, job in jobs.items() if "problem" in job}
    assert damaged == {"nested", "no-zone", "no-parameters", "no-result"}
    assert "time zone" in jobs["no-zone"]["problem"]
    assert_problem(service.client.get("/train/no-zone"), 503)
    assert service.client.get("/train/newer").json()["status"] == "FAILED"


@pytest.mark.usefixtures("trained")
def test_a_damaged_dataset_does_not_disturb_other_datasets(service: Service) -> None:
    store = Store(service.store_url)
    store.write("datasets/broken/1.0.0/source.json", b"{}")
    store.write("datasets/broken/1.0.0/dataset_info.json", b"{}")
    store.write("datasets/refused/problem.json", b"{}")

    datasets = list_by("datasets", "name", service.client.get("/datasets"))
    tiny = {"version": "1.0.0", "counts": {"train": 2000, "test": 300}}
    assert datasets["tiny"]["versions"] == [tiny]
    assert "'sha256' is missing" in datasets["broken"]["versions"][0]["problem"]
    assert "'type' is missing" in datasets["refused"]["problem"]["detail"]
    for name in ("broken", "refused"):
        for entry in store.entries(f"datasets/{name}"):
            store.delete(entry.key)


def to_bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.long
def test_a_worse_model_is_released_only_by_hand(
    service: Service, trained: dict[str, Any]
) -> None:
    live = service.client.get("/models").json()["live"]
    parameters = TINY | {"learning_rate": 1e-6}
    answer = service.client.post("/train", json=parameters, headers=WAIT)
    state = answer.raise_for_status().json()
    assert (state["status"], state["released"]) == ("SUCCEEDED", False)
    assert "the model misreads the example images of 0" in state["reason"]
    assert "lower than the live model's" in state["reason"]
    assert state["model_version"] != live
    assert service.client.get("/models").json()["live"] == live
    for version in (state["model_version"], trained["model_version"]):
        service.release(version)
        wait_until_it_answers(service, version)


def test_a_cancelled_training_fails_and_releases_nothing(
    service: Service, trained: dict[str, Any]
) -> None:
    before = service.client.get("/health").json()["release"]
    job = service.client.post("/train", json=TINY | {"epochs": 200}).json()
    answer = service.client.delete(f"/train/{job['job_id']}").raise_for_status()
    cancelled = answer.json()
    assert cancelled["status"] == "FAILED"
    assert "Cancelled" in cancelled["reason"]
    assert service.client.get("/health").json()["release"] == before
    assert trained["model_version"] in service.client.get("/models").text


def test_no_error_was_unhandled(service: Service) -> None:
    assert service.unhandled_errors() == []
