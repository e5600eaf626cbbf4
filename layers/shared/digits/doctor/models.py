"""Checks the models and the releases in a store."""

import os
import re
from functools import partial
from pathlib import Path

from digits import parallel
from digits.doctor.examination import Examination
from digits.models import manifests, releases
from digits.models.manifests import BUNDLED, MANIFEST_FILE, Manifest

_RELEASE = re.compile(r"([1-9][0-9]{0,17})\.json")


def check_models(examination: Examination) -> set[str]:
    """Check every model.

    Returns:
        The versions that are complete and undamaged.
    """
    versions = examination.names("models")
    checks = parallel.each(partial(_check_model, examination), versions)
    return {
        version for version, is_good in zip(versions, checks, strict=True) if is_good
    }


def check_releases(examination: Examination, complete: set[str]) -> int:
    """Check every release.

    Returns:
        The number of releases.
    """
    numbers = []
    for name in examination.names("releases"):
        match = _RELEASE.fullmatch(name)
        if match:
            numbers.append(int(match[1]))
    for number in range(1, max(numbers, default=0)):
        if number not in numbers:
            examination.add(
                f"releases/{number}.json",
                "The release is missing, and there are later releases.",
                "Restore an earlier version of the object, or a backup.",
            )
    parallel.each(partial(_check_release, examination, complete), numbers)
    return len(numbers)


def _check_model(examination: Examination, version: str) -> bool:
    """Check a model; returns whether the model is complete and undamaged."""
    folder = f"models/{version}"
    key = f"{folder}/{MANIFEST_FILE}"
    if key not in examination.entries:
        if examination.is_abandoned(folder):
            problem = f"The model is incomplete: there is no {MANIFEST_FILE}."
            examination.add(folder, problem, "Delete the folder.")
        return False
    remedy = f"If this model is live, release another model. Then delete {folder}."
    load_manifest = partial(manifests.load_manifest, examination.store, version)
    manifest = examination.load(key, remedy, load_manifest)
    if manifest is None:
        return False
    is_undamaged = True
    for name in manifest.files:
        if not _matches_manifest(examination, manifest, name):
            problem = f"The file is missing, or does not match {MANIFEST_FILE}."
            examination.add(f"{folder}/{name}", problem, remedy)
            is_undamaged = False
    return is_undamaged


def _matches_manifest(examination: Examination, manifest: Manifest, name: str) -> bool:
    expected = manifest.files[name]
    entry = examination.entries.get(f"models/{manifest.version}/{name}")
    if entry is None or entry.size != expected.size:
        return False
    with Path(os.devnull).open("wb") as nowhere:
        return examination.store.download(entry.key, nowhere) == expected.sha256


def _check_release(examination: Examination, complete: set[str], number: int) -> None:
    key = f"releases/{number}.json"
    remedy = (
        "If this is the newest release, release a model: digits models release VERSION."
    )
    load_release = partial(releases.load_release, examination.store, number)
    release = examination.load(key, remedy, load_release)
    if release and release.version not in {BUNDLED, *complete}:
        problem = f"Model {release.version} is missing, incomplete or damaged."
        examination.add(key, problem, remedy)
