"""What must hold after a round, however much went wrong in it."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx

from digits import doctor
from digits.models import manifests, releases
from digits.models.releases import Release
from digits.store import Store
from tests.soak.client import Client, Violation
from tests.soak.world import World

# What is written once.
_PERMANENT = (
    "/manifest.json",
    "/model.tflite",
    "/model.weights.h5",
    "/dataset_info.json",
    "/source.json",
    "/claim.json",
)
# Why a job may fail. No fault of S3 and no kill is one: the training is done again.
_GOOD_REASONS = ("Cancelled by", "The job never reached AWS Batch")
_MARKERS = {
    "jobs": "request.json",
    "models": "manifest.json",
    "datasets": "dataset_info.json",
}


def permanent(store: Store) -> dict[str, str]:
    """Entity tags of what never changes, by key. Read at the beginning of a round, for `check`."""
    found = [
        entry
        for folder in ("datasets", "models", "jobs")
        for entry in store.entries(folder)
    ]
    kept = [entry for entry in found if entry.key.endswith(_PERMANENT)]
    kept += [entry for entry in store.entries("releases") if "/." not in entry.key]
    return {entry.key: entry.etag for entry in kept}


def stored(store: Store, folder: str) -> list[str]:
    """The names of what is complete in `jobs`, `models` or `datasets`."""
    entries = store.entries(folder)
    return sorted(
        {
            entry.key.split("/")[1]
            for entry in entries
            if entry.key.endswith(f"/{_MARKERS[folder]}")
        }
    )


def check(
    world: World, store: Store, before: dict[str, str], reasons: set[str]
) -> None:
    """Check everything.

    Args:
        world: where the rounds are.
        store: past the faults.
        before: what was permanent at the beginning of the round.
        reasons: of the releases that clients asked for and were told of.

    Raises:
        Violation: something does not hold.
    """
    client = Client(world)
    log = [
        releases.load_release(store, number)
        for number in range(1, releases.newest_number(store) + 1)
    ]
    _check_jobs(client, store, log)
    _check_lists(client, store)
    _check_releases(log, reasons)
    now = permanent(store)
    _refuse(
        "These objects were changed or deleted",
        [key for key, tag in before.items() if now.get(key) != tag],
    )
    findings = doctor.examine_store(store, timedelta(0)).findings
    _refuse("The doctor finds", [f"{it.key}: {it.problem}" for it in findings])
    _refuse(
        "Conversions left temporary files",
        [path.name for path in world.temporary("convert").glob("*")],
    )
    _check_prediction(client, log)


def pages(client: Client, resource: str, name: str) -> Iterator[dict[str, Any]]:
    """Every item of a list, page by page."""
    parameters: dict[str, Any] = {}
    while True:
        page = client.expect("GET", resource, 200, **parameters).body
        yield from page[name]
        if not page["next"]:
            return
        parameters = dict(httpx.URL(page["next"]).params)


def _check_jobs(client: Client, store: Store, log: list[Release]) -> None:
    listed = {job["job_id"]: job for job in pages(client, "/train", "jobs")}
    _refuse(
        "Only in the store or only in the list",
        sorted(set(listed) ^ set(stored(store, "jobs"))),
    )
    made = Counter(release.reason for release in log)
    for job_id, job in listed.items():
        if job.get("status") != "SUCCEEDED" and not job.get("reason", "").startswith(
            _GOOD_REASONS
        ):
            raise Violation(f"A job is not over, or failed: {job}.")
        if made[f"Job {job_id} trained it"] != job["released"]:
            raise Violation(
                f"A job has {made[f'Job {job_id} trained it']} releases: {job}."
            )


def _check_lists(client: Client, store: Store) -> None:
    listed = [model["version"] for model in pages(client, "/models", "models")]
    _refuse(
        "Models that are listed and stored",
        sorted({*listed} ^ {manifests.BUNDLED, *stored(store, "models")}),
    )
    for dataset in pages(client, "/datasets", "datasets"):
        if "upload" in dataset:
            raise Violation(f"An upload is not dealt with: {dataset}.")


def _check_releases(log: list[Release], reasons: set[str]) -> None:
    twice = [
        later
        for earlier, later in pairwise(log)
        if (earlier.version, earlier.reason) == (later.version, later.reason)
    ]
    _refuse("Released twice", twice)
    _refuse(
        "Releases that were answered and are not there",
        sorted(reasons - {release.reason for release in log}),
    )


def _check_prediction(client: Client, log: list[Release]) -> None:
    live = log[-1].version if log else manifests.BUNDLED
    expected = client.bundled_version if live == manifests.BUNDLED else live
    answered = client.read_digit(8)["model_version"]
    if answered != expected:
        raise Violation(f"Model {answered} answers, and {expected} is live.")


def _refuse(what: str, found: list[Any]) -> None:
    if found:
        raise Violation(f"{what}: {'; '.join(map(str, found))}.")
