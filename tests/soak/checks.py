"""The invariants that must hold after a round."""

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

# These objects are written once.
_PERMANENT = (
    "/manifest.json",
    "/model.tflite",
    "/model.weights.h5",
    "/dataset_info.json",
    "/source.json",
    "/claim.json",
)
# Reasons for which a job may fail. After a fault of S3 or a kill, the training is repeated.
_GOOD_REASONS = ("Cancelled by", "The job never reached AWS Batch")
# The object that makes an entry complete.
_MARKERS = {
    "jobs": "request.json",
    "models": "manifest.json",
    "datasets": "dataset_info.json",
}


def permanent_objects(store: Store) -> dict[str, str]:
    """Entity tags of the objects that never change, by key, to compare after the round."""
    tags = {}
    for folder in ("datasets", "models", "jobs"):
        for entry in store.entries(folder):
            if entry.key.endswith(_PERMANENT):
                tags[entry.key] = entry.etag
    for entry in store.entries("releases"):
        # A hidden entry is a hint, which may change.
        if "/." not in entry.key:
            tags[entry.key] = entry.etag
    return tags


def stored_names(store: Store, folder: str) -> list[str]:
    """The names of the complete entries of `jobs`, `models` or `datasets`."""
    marker = f"/{_MARKERS[folder]}"
    keys = [entry.key for entry in store.entries(folder)]
    return sorted({key.split("/")[1] for key in keys if key.endswith(marker)})


def check(
    world: World, store: Store, before: dict[str, str], reasons: set[str]
) -> None:
    """Check all invariants.

    Args:
        world: where the rounds are.
        store: without faults.
        before: the permanent objects at the start of the round.
        reasons: of the releases that the service has confirmed to clients.

    Raises:
        Violation: an invariant does not hold.
    """
    client = Client(world)
    numbers = range(1, releases.newest_number(store) + 1)
    log = [releases.load_release(store, number) for number in numbers]
    _check_jobs(client, store, log)
    _check_lists(client, store)
    _check_releases(log, reasons)
    after = permanent_objects(store)
    changed = [key for key, tag in before.items() if after.get(key) != tag]
    _refuse("These objects were changed or deleted", changed)
    findings = doctor.examine_store(store, timedelta(0)).findings
    problems = [f"{finding.key}: {finding.problem}" for finding in findings]
    _refuse("The doctor finds", problems)
    files = [path.name for path in world.temporary("convert").glob("*")]
    _refuse("Conversions left temporary files", files)
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
    differences = set(listed) ^ set(stored_names(store, "jobs"))
    _refuse("Only in the store or only in the list", sorted(differences))
    releases_by_reason = Counter(release.reason for release in log)
    for job_id, job in listed.items():
        may_fail = job.get("reason", "").startswith(_GOOD_REASONS)
        if job.get("status") != "SUCCEEDED" and not may_fail:
            raise Violation(f"A job is not over, or failed: {job}.")
        count = releases_by_reason[f"Job {job_id} trained it"]
        if count != job["released"]:
            raise Violation(f"A job has {count} releases: {job}.")


def _check_lists(client: Client, store: Store) -> None:
    listed = {model["version"] for model in pages(client, "/models", "models")}
    expected = {manifests.BUNDLED, *stored_names(store, "models")}
    differences = sorted(listed ^ expected)
    _refuse("Models only in the store or only in the list", differences)
    for dataset in pages(client, "/datasets", "datasets"):
        if "upload" in dataset:
            raise Violation(f"An upload was neither converted nor refused: {dataset}.")


def _check_releases(log: list[Release], reasons: set[str]) -> None:
    repeated = []
    for earlier, later in pairwise(log):
        if (earlier.version, earlier.reason) == (later.version, later.reason):
            repeated.append(later)
    _refuse("Released twice", repeated)
    lost = reasons - {release.reason for release in log}
    _refuse("Confirmed releases that are missing", sorted(lost))


def _check_prediction(client: Client, log: list[Release]) -> None:
    live = log[-1].version if log else manifests.BUNDLED
    expected = client.bundled_version if live == manifests.BUNDLED else live
    answered = client.read_digit(8)["model_version"]
    if answered != expected:
        raise Violation(f"Model {answered} answers, but {expected} is live.")


def _refuse(description: str, violations: list[Any]) -> None:
    if violations:
        raise Violation(f"{description}: {'; '.join(map(str, violations))}.")
