"""A machine that loses power: whatever is killed, and whenever, what was released stays, and the job ends well."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx

from digits import dataset_versions, models, releases
from digits.classifier import Classifier
from digits.models import MODEL_FILE, WEIGHTS_FILE
from digits.store import Store
from tests.integration.conftest import Service

# Seconds from a start to the kill: while TensorFlow loads, in the middle of the training, and in its last steps.
MOMENTS = (1.0, 6.0, 9.0)


def kill_everything(service: Service) -> None:
    service.stop(signal.SIGKILL)
    for pid in Path(service.store_url.removeprefix("file://")).glob(".batch/*/pid"):
        try:
            os.killpg(int(pid.read_text()), signal.SIGKILL)
        except (ProcessLookupError, ValueError):
            continue  # It had ended, or had not begun.


def check(store: Store, name: str) -> None:
    """Everything that can be seen in the store is whole."""
    assert [found.version for found in dataset_versions.complete(store, name)] == ["1.0.0"]
    for number in range(1, releases.latest_number(store) + 1):
        manifest = models.load_manifest(store, releases.load(store, number).version)
        models.load_file(store, manifest, WEIGHTS_FILE)
        Classifier(manifest, models.load_file(store, manifest, MODEL_FILE))


def state(service: Service, job_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = service.client.get(f"/train/{job_id}").raise_for_status().json()
    return answer


def test_kill_9_in_a_loop_loses_nothing(service: Service, tiny_npz: Path) -> None:
    store = Store(service.store_url)
    service.upload("tiny", tiny_npz)
    service.wait(lambda: bool(service.dataset("tiny").get("versions")), 30)
    job = service.client.post(
        "/train", json={"dataset": "tiny", "architecture": "lab", "epochs": 4, "batch_size": 32}
    ).json()
    releases_seen = 0
    for moment in MOMENTS:
        time.sleep(moment)
        kill_everything(service)
        check(store, "tiny")
        assert releases.latest_number(store) >= releases_seen
        releases_seen = releases.latest_number(store)
        service.start()
        check(store, "tiny")
    service.wait(lambda: state(service, job["job_id"])["status"] in ("SUCCEEDED", "FAILED"), 120)
    done = state(service, job["job_id"])
    assert done["status"] == "SUCCEEDED", done
    live = releases.live(store)
    assert live is not None
    assert live.version == done["model_version"]
    assert {releases.load(store, n).version for n in range(1, live.number + 1)} == {live.version}
    answer = service.client.get("/health")
    assert answer.status_code == httpx.codes.OK
    assert answer.json()["model_version"] == live.version
