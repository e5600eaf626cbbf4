"""A machine that loses power: models stay whole, and the job succeeds after the restart."""

import os
import signal
from contextlib import suppress
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

# Groups of phases in which to kill. Each group is later than the group before, so the
# recorded phase is the running attempt's.
MOMENTS: list[set[str | None]] = [
    {None, "fetching", "preparing"},
    {"fitting"},
    {"exporting", "evaluating"},
]


def kill_everything(service: Service) -> None:
    service.stop(signal.SIGKILL)
    store = Path(service.store_url.removeprefix("file://"))
    for pid in store.glob(".batch/*/pid.*"):
        # The process may have ended by itself.
        with suppress(ProcessLookupError):
            os.killpg(int(pid.suffix[1:]), signal.SIGKILL)


def check(store: Store, name: str) -> None:
    """Check that the datasets and the released models in the store are whole."""
    assert [found.version for found in versions.complete_versions(store, name)] == [
        "1.0.0"
    ]
    for number in range(1, releases.newest_number(store) + 1):
        manifest = manifests.load_manifest(
            store, releases.load_release(store, number).version
        )
        manifests.load_file(store, manifest, WEIGHTS_FILE)
        Classifier(manifest, manifests.load_file(store, manifest, MODEL_FILE))


def state(service: Service, job_id: str) -> dict[str, Any]:
    answer = service.client.get(f"/train/{job_id}").raise_for_status()
    return dict(answer.json())


def phase(store: Store, job_id: str) -> str | None:
    progress = jobs.load_progress(store, job_id)
    return progress.phase if progress else None


@pytest.mark.long
def test_kills_in_every_phase_lose_nothing(service: Service, tiny_npz: Path) -> None:
    store = Store(service.store_url)
    service.upload("tiny", tiny_npz)
    service.wait(lambda: bool(service.dataset("tiny").get("versions")), 30)
    wanted = {"dataset": "tiny", "architecture": "lab", "epochs": 4, "batch_size": 32}
    job_id = service.client.post("/train", json=wanted).json()["job_id"]
    known_releases = 0

    def is_running_in(moment: set[str | None]) -> bool:
        is_running = state(service, job_id)["status"] == "RUNNING"
        return is_running and phase(store, job_id) in moment

    def is_over() -> bool:
        return state(service, job_id)["status"] in ("SUCCEEDED", "FAILED")

    for moment in MOMENTS:
        service.wait(partial(is_running_in, moment), 60)
        kill_everything(service)
        assert jobs.load_result(store, job_id) is None
        assert phase(store, job_id) in moment
        check(store, "tiny")
        assert releases.newest_number(store) >= known_releases
        known_releases = releases.newest_number(store)
        service.start()
        check(store, "tiny")
    service.wait(is_over, 120)
    done = state(service, job_id)
    assert done["status"] == "SUCCEEDED", done
    listed = service.client.get("/models").raise_for_status().json()["models"]
    assert {model["version"] for model in listed} == {"bundled", done["model_version"]}
    # The bundled model may be better, and then the gate keeps this model back.
    service.release(done["model_version"])
    check(store, "tiny")

    def answers() -> bool:
        health = service.client.get("/health").json()
        return bool(health["model_version"] == done["model_version"])

    # A request waits 50 ms for the look for a release, and a busy machine takes longer.
    service.wait(answers, 10)
