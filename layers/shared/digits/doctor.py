"""What must hold of a store, whatever was killed and whatever failed. `digits doctor` looks for what does not.

It reads only, and large files in pieces. Something unfinished counts once it has rested
for an hour: before, somebody may be at work on it.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile

import google_crc32c

from digits import datasets, jobs, parallel
from digits.datasets import tfds, tfrecord, uploads, versions
from digits.datasets.versions import DatasetVersion
from digits.errors import DamagedObjectError, MissingObjectError
from digits.examination import Examination, Finding
from digits.jobs import Result
from digits.models import manifests, releases
from digits.models.manifests import BUNDLED, MANIFEST_FILE, Manifest
from digits.store import Store

PATIENCE = timedelta(hours=1)

_RELEASE = re.compile(r"([1-9][0-9]{0,17})\.json")
_DATASET_VERSION = re.compile(r"([1-9][0-9]{0,17})\.0\.0")
_INDEX = re.compile(r"[^.]*/\.[^/]+(/[^/]+)?\.json")
# What local.aws_batch.job_queue writes before it renames the file.
_PART = ".part"
# TFRecord's framing: a length with its checksum before an example, the example's checksum behind.
_HEADER_BYTES, _FOOTER_BYTES = 12, 4
_MASK_DELTA = 0xA282EAD8


@dataclass(frozen=True)
class Report:
    """The findings in the order of their keys, and how many things of each kind were checked."""

    findings: list[Finding]
    checked: dict[str, int]


def examine(store: Store, patience: timedelta = PATIENCE) -> Report:
    """Check everything in a store.

    Args:
        store: is only read.
        patience: for how long something unfinished must have rested to count as abandoned.

    Raises:
        StoreError: the store does not answer.
    """
    examination = Examination(store, patience)
    complete = _check_models(examination)
    checked = {
        "models": len(complete),
        "releases": _check_releases(examination, complete),
        "dataset versions": _check_datasets(examination),
        "jobs": _check_jobs(examination, complete),
        "objects": len(examination.entries),
    }
    _check_indexes(examination)
    _check_temporaries(examination, patience)
    return Report(
        sorted(examination.findings, key=lambda finding: finding.key), checked
    )


def _check_models(examination: Examination) -> set[str]:
    """The versions that are complete and whole."""
    versions = examination.names("models")
    whole = parallel.each(partial(_check_model, examination), versions)
    return {
        version for version, is_whole in zip(versions, whole, strict=True) if is_whole
    }


def _check_model(examination: Examination, version: str) -> bool:
    folder = f"models/{version}"
    key = f"{folder}/{MANIFEST_FILE}"
    if key not in examination.entries:
        if examination.is_abandoned(folder):
            examination.add(
                folder,
                f"Half a model: it has no {MANIFEST_FILE}.",
                "Delete the folder.",
            )
        return False
    remedy = f"If this model is live, release another one. Then delete {folder}."
    manifest = examination.read(
        key, remedy, lambda: manifests.load_manifest(examination.store, version)
    )
    if manifest is None:
        return False
    wrong = [
        name
        for name in manifest.files
        if not _is_as_described(examination, manifest, name)
    ]
    for name in wrong:
        examination.add(
            f"{folder}/{name}",
            f"It is missing, or not as {MANIFEST_FILE} describes it.",
            remedy,
        )
    return not wrong


def _is_as_described(examination: Examination, manifest: Manifest, name: str) -> bool:
    expected = manifest.files[name]
    entry = examination.entries.get(f"models/{manifest.version}/{name}")
    if entry is None or entry.size != expected.size:
        return False
    with Path(os.devnull).open("wb") as nowhere:
        return examination.store.download(entry.key, nowhere) == expected.sha256


def _check_releases(examination: Examination, complete: set[str]) -> int:
    matches = map(_RELEASE.fullmatch, examination.names("releases"))
    numbers = {int(match[1]) for match in matches if match}
    for number in set(range(1, max(numbers, default=0))) - numbers:
        remedy = "Restore an earlier version of the object, or a backup."
        examination.add(
            f"releases/{number}.json",
            "It is missing, and later releases are there.",
            remedy,
        )
    parallel.each(partial(_check_release, examination, complete), sorted(numbers))
    return len(numbers)


def _check_release(examination: Examination, complete: set[str], number: int) -> None:
    key = f"releases/{number}.json"
    remedy = (
        "If it is the newest release, release a model: digits models release VERSION."
    )
    release = examination.read(
        key, remedy, lambda: releases.load(examination.store, number)
    )
    if release and release.version not in {BUNDLED, *complete}:
        examination.add(
            key, f"Its model {release.version} is not there, or not whole.", remedy
        )


def _check_datasets(examination: Examination) -> int:
    names = examination.names("datasets")
    parallel.each(
        partial(_check_upload, examination),
        sorted({*names, *uploads.list_uploads(examination.store)}),
    )
    versions = [
        (name, version)
        for name in names
        for version in examination.names(f"datasets/{name}")
    ]
    return sum(
        parallel.each(lambda version: _check_version(examination, *version), versions)
    )


def _check_upload(examination: Examination, name: str) -> None:
    """What became of a dataset's last upload."""
    store, folder = examination.store, f"datasets/{name}"
    remedy = "Upload the dataset again."
    problem = examination.read(
        f"{folder}/problem.json", remedy, lambda: uploads.load_problem(store, name)
    )
    upload = examination.entries.get(uploads.upload_key(name))
    if upload is None or not examination.has_rested(upload.modified):
        return
    is_known = bool(problem or examination.names(folder))
    state = examination.read(
        upload.key,
        remedy,
        lambda: uploads.upload_state(store, name, upload, is_known=is_known),
    )
    if state:
        examination.add(upload.key, "This upload was not converted.", remedy)


def _check_version(examination: Examination, name: str, version: str) -> bool:
    """Whether there is such a version, and complete."""
    folder = f"datasets/{name}/{version}"
    match = _DATASET_VERSION.fullmatch(version)
    if match is None:
        return False
    if f"{folder}/{tfds.INFO_FILE}" not in examination.entries:
        if examination.is_abandoned(folder):
            remedy = (
                "Upload the same file again, which completes it, or delete the folder."
            )
            examination.add(
                folder, f"Half a version: it has no {tfds.INFO_FILE}.", remedy
            )
        return False
    remedy = f"Delete {folder}, and upload the dataset again."
    dataset = examination.read(
        f"{folder}/source.json",
        remedy,
        lambda: versions.load_version(examination.store, name, int(match[1])),
    )
    if dataset:
        for key, problem in _problems_of_files(examination, dataset):
            examination.add(key, problem, remedy)
    return True


def _problems_of_files(
    examination: Examination, dataset: DatasetVersion
) -> Iterator[tuple[str, str]]:
    """Keys of a version's files, each with what is wrong with the file."""
    features = dataset.key(tfds.FEATURES_FILE)
    if features not in examination.entries:
        yield features, "It is missing."
    expected: list[tuple[str, int]] = []
    for split, examples in dataset.counts.items():
        lengths = tfds.shard_lengths(examples)
        expected += zip(
            tfds.shard_names(dataset.name, split, len(lengths)), lengths, strict=True
        )
    keys = [dataset.key(name) for name, _ in expected]
    if _named_shards(examination.store, dataset) != keys:
        yield (
            dataset.key(tfds.INFO_FILE),
            f"It does not name the {len(keys)} files of the examples in source.json.",
        )
    for key, (_, examples) in zip(keys, expected, strict=True):
        problem = _problem_of_shard(examination, key, examples)
        if problem:
            yield key, problem


def _named_shards(store: Store, dataset: DatasetVersion) -> list[str]:
    try:
        return [
            key
            for split in dataset.counts
            for key in datasets.shard_keys(store, dataset, split)
        ]
    except (DamagedObjectError, MissingObjectError):
        return []


def _problem_of_shard(examination: Examination, key: str, examples: int) -> str | None:
    entry = examination.entries.get(key)
    size = examples * (_HEADER_BYTES + tfrecord.example_bytes() + _FOOTER_BYTES)
    if entry is None:
        return "It is missing."
    if entry.size != size:
        return (
            f"It has {entry.size:,} bytes, where {examples:,} examples take {size:,}."
        )
    with TemporaryFile() as file:
        examination.store.download(key, file)
        file.seek(0)
        records = iter(partial(file.read, size // examples), b"")
        if not all(map(_is_sound, records)):
            return "A record does not match its checksum."
    return None


def _is_sound(record: bytes) -> bool:
    example, checksum = record[_HEADER_BYTES:-_FOOTER_BYTES], record[-_FOOTER_BYTES:]
    crc: int = google_crc32c.value(example)
    masked = ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF
    return masked.to_bytes(4, "little") == checksum


def _check_jobs(examination: Examination, complete: set[str]) -> int:
    job_ids = examination.names("jobs")
    parallel.each(partial(_check_job, examination, complete), job_ids)
    return len(job_ids)


def _check_job(examination: Examination, complete: set[str], job_id: str) -> None:
    store, folder = examination.store, f"jobs/{job_id}"
    remedy = f"Delete {folder} if nobody needs to know of this job."
    request = examination.read(
        f"{folder}/request.json", remedy, lambda: jobs.load_request(store, job_id)
    )
    claim = examination.read(
        f"{folder}/claim.json", remedy, lambda: jobs.load_claim(store, job_id)
    )
    result = examination.read(
        f"{folder}/result.json", remedy, lambda: jobs.load_result(store, job_id)
    )
    if f"{folder}/result.json" in examination.entries:
        if result:
            _check_result(examination, complete, job_id, claim, result)
        return
    examination.read(
        f"{folder}/progress.json", remedy, lambda: jobs.load_progress(store, job_id)
    )
    if request and examination.is_abandoned(folder):
        _add_unfinished(examination, job_id, claim)


def _check_result(
    examination: Examination,
    complete: set[str],
    job_id: str,
    claim: Result | None,
    result: Result,
) -> None:
    key = f"jobs/{job_id}/result.json"
    if claim and (claim.status, claim.model_version) != (
        result.status,
        result.model_version,
    ):
        remedy = "Compare both files, and release the model that is to be live."
        examination.add(key, "It is another end than the one in claim.json.", remedy)
    if result.model_version and result.model_version not in complete:
        examination.add(
            key,
            f"Its model {result.model_version} is not there, or not whole.",
            "Train again.",
        )
    checkpoint = jobs.checkpoint_key(job_id)
    if checkpoint in examination.entries and examination.is_abandoned(f"jobs/{job_id}"):
        examination.add(
            checkpoint, "It is left over from a job that is finished.", "Delete it."
        )


def _add_unfinished(
    examination: Examination, job_id: str, claim: Result | None
) -> None:
    folder = f"jobs/{job_id}"
    if claim:
        problem = "The job's end is decided and not carried out: there is a claim.json and no result.json."
    else:
        problem = "The job has no result, and nothing works on it: it made no progress for long."
    remedy = f"GET /train/{job_id} records what Batch says. `digits train --job-id {job_id}` finishes the job here."
    examination.add(folder, problem, remedy)


def _check_indexes(examination: Examination) -> None:
    remedy = "Delete it. It only makes finding things faster."
    for key in filter(_INDEX.fullmatch, examination.entries):
        examination.read(key, remedy, partial(examination.store.read_json, key))


def _check_temporaries(examination: Examination, patience: timedelta) -> None:
    """What is left in a folder. In S3 there are no temporary objects, and its unfinished uploads cannot be listed."""
    remedy = "Delete it."
    for path in examination.store.leftovers(patience):
        examination.add(
            str(path),
            "A writer that died left it.",
            f"{remedy} `digits serve` does so at its start, too.",
        )
    for entry in examination.entries.values():
        if entry.key.endswith(_PART) and examination.has_rested(entry.modified):
            examination.add(
                entry.key,
                "The local Batch died before it had written this file.",
                remedy,
            )
