"""A machine that loses power: whatever is killed, and whenever, what was released stays, and the job ends well."""

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from digits import jobs
from digits.datasets import versions
from digits.models import manifests, releases
from digits.models.classifier import Classifier
from digits.models.manifests import MODEL_FILE, WEIGHTS_FILE
from digits.store import Store
from tests.integration.conftest import Service

# The phases in which to kill, each later than the one before: so what is seen of a
# phase is of the running attempt.
MOMENTS: list[set[str | None]] = [
    {None, "fetching", "preparing"},
    {"fitting"},
    {"exporting", "evaluating"},
]


def kill_everything(service: Service) -> None:
    service.stop(signal.SIGKILL)
    for pid in Path(service.store_url.removeprefix("file://")).glob(".batch/*/pid.*"):
        try:
            os.killpg(int(pid.suffix[1:]), signal.SIGKILL)
        except ProcessLookupError:
            continue  # It had ended.


def check(store: Store, name: str) -> None:
    """Everything that can be seen in the store is whole."""
    assert [found.version for found in versions.complete(store, name)] == ["1.0.0"]
    for number in range(1, releases.newest_number(store) + 1):
        manifest = manifests.load_manifest(store, releases.load(store, number).version)
        manifests.load_file(store, manifest, WEIGHTS_FILE)
        Classifier(manifest, manifests.load_file(store, manifest, MODEL_FILE))


def state(service: Service, job_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = (
        service.client.get(f"/train/{job_id}").raise_for_status().json()
    )
    return answer


def phase(store: Store, job_id: str) -> str | None:
    progress = jobs.load_progress(store, job_id)
    return progress.phase if progress else None


@pytest.mark.long
def test_kill_9_in_a_loop_loses_nothing(service: Service, tiny_npz: Path) -> None:
    store = Store(service.store_url)
    service.upload("tiny", tiny_npz)
    service.wait(lambda: bool(service.dataset("tiny").get("versions")), 30)
    wanted = {"dataset": "tiny", "architecture": "lab", "epochs": 4, "batch_size": 32}
    job_id = service.client.post("/train", json=wanted).json()["job_id"]
    releases_seen = 0

    def is_running_in(moment: set[str | None]) -> bool:
        return (
            state(service, job_id)["status"] == "RUNNING"
            and phase(store, job_id) in moment
        )

    for moment in MOMENTS:
        service.wait(partial(is_running_in, moment), 60)
        kill_everything(service)
        assert jobs.load_result(store, job_id) is None
        assert phase(store, job_id) in moment
        check(store, "tiny")
        assert releases.newest_number(store) >= releases_seen
        releases_seen = releases.newest_number(store)
        service.start()
        check(store, "tiny")
    service.wait(
        lambda: state(service, job_id)["status"] in ("SUCCEEDED", "FAILED"), 120
    )
    done = state(service, job_id)
    assert done["status"] == "SUCCEEDED", done
    listed = service.client.get("/models").raise_for_status().json()["models"]
    assert {model["version"] for model in listed} == {"bundled", done["model_version"]}
    # Better than the bundled model it need not be, so it may not be live yet.
    made = service.client.post(
        f"/models/{done['model_version']}/release", json={"reason": "It is whole."}
    )
    made.raise_for_status()
    check(store, "tiny")
    # A request waits 50 ms for the look for a release, and a busy machine takes longer.
    service.wait(
        lambda: (
            service.client.get("/health").json()["model_version"]
            == done["model_version"]
        ),
        10,
    )
