"""Trained models in the store, immutable versions at `models/<version>/`.

A version is complete once `manifest.json` is there.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from digits import documents
from digits.errors import (
    ConflictError,
    DamagedObjectError,
    MissingObjectError,
    UnknownError,
)
from digits.newest_first import Folder, Page
from digits.store import Store

SCHEMA_VERSION = 2
MODEL_FILE = "model.tflite"
WEIGHTS_FILE = "model.weights.h5"
MANIFEST_FILE = "manifest.json"
# Evaluation results, for programs and for people. The manifest does not describe these
# files, because timings differ from run to run.
METRICS_FILE = "metrics.json"
REPORT_FILE = "report.html"
# The key in a manifest's thresholds for the lowest score of a digit.
SCORE = "score"
# The model that comes with the predict function. It is live before the first release,
# and while the newest release names it.
BUNDLED = "bundled"


@dataclass(frozen=True)
class FileInfo:
    """The size of a file in bytes, and its sha256 in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The origin and quality of a model, and the checksums of its files."""

    version: str
    dataset: str
    dataset_version: str
    code_revision: str
    parameters: dict[str, Any]
    metrics: dict[str, float]
    thresholds: dict[str, float]
    files: dict[str, FileInfo]
    schema_version: int = SCHEMA_VERSION

    def check(self, name: str, data: bytes) -> bytes:
        """Check that `data` is the file `name` that this manifest describes.

        Returns:
            `data`.

        Raises:
            DamagedObjectError: `data` is damaged, or the manifest has no such file.
        """
        expected = self.files.get(name)
        if expected is None or expected != file_info(data):
            raise DamagedObjectError(
                f"{name} of model {self.version} does not match its manifest."
            )
        return data


def file_info(data: bytes) -> FileInfo:
    """The size and checksum of a file's content."""
    return FileInfo(size=len(data), sha256=hashlib.sha256(data).hexdigest())


def version_name(created: datetime, files: dict[str, bytes]) -> str:
    """The name of a version: `<UTC time>-<8 hex of content>`.

    The same time and files always give the same name, such as
    `20260131T101500Z-1a2b3c4d`.
    """
    content = hashlib.sha256()
    for name in sorted(files):
        content.update(hashlib.sha256(files[name]).digest())
    return f"{created:%Y%m%dT%H%M%SZ}-{content.hexdigest()[:8]}"


def publish(store: Store, manifest: Manifest, files: dict[str, bytes]) -> None:
    """Write a model's files, and the manifest last.

    A repeated call changes no file that the manifest describes.

    Args:
        store: where the model goes.
        manifest: describes the model.
        files: content by name, of every file that the manifest describes, and of other
            files.

    Raises:
        DamagedObjectError: a file does not match the manifest.
    """
    for name in manifest.files:
        manifest.check(name, files[name])
    for name, data in files.items():
        store.write(_key(manifest.version, name), data)
    _folder(store).add(manifest.version, _created(manifest.version))
    key = _key(manifest.version, MANIFEST_FILE)
    try:
        store.create(key, documents.to_bytes(manifest))
    except ConflictError:
        load_manifest(store, manifest.version)


def load_manifest(store: Store, version: str) -> Manifest:
    """Load the manifest of a version.

    Raises:
        UnknownError: there is no such version, or the version is incomplete.
        DamagedObjectError: the stored manifest cannot be trusted.
    """
    try:
        data = store.read(_key(version, MANIFEST_FILE))
    except MissingObjectError as error:
        raise UnknownError(
            f"There is no model {version!r}. List models with GET /models."
        ) from error
    manifest = parse_manifest(data, f"The manifest of model {version}")
    if manifest.version != version:
        raise DamagedObjectError(
            f"The manifest of model {version} names the model {manifest.version}."
        )
    return manifest


def load_file(store: Store, manifest: Manifest, name: str) -> bytes:
    """Load a file of a model, and check the file against the manifest.

    Raises:
        DamagedObjectError: the file is missing, or does not match the manifest.
    """
    try:
        data = store.read(_key(manifest.version, name))
    except MissingObjectError as error:
        raise DamagedObjectError(
            f"{name} of model {manifest.version} is missing."
        ) from error
    return manifest.check(name, data)


def load_report(store: Store, version: str) -> bytes:
    """Load the HTML report on a model.

    Raises:
        UnknownError: there is no such version, or the version has no report.
    """
    try:
        return store.read(_key(version, REPORT_FILE))
    except MissingObjectError as error:
        raise UnknownError(
            f"There is no report on model {version!r}. List models with GET /models."
        ) from error


def parse_manifest(data: bytes, name: str = "The manifest") -> Manifest:
    """Parse the bytes of a manifest.json.

    Raises:
        DamagedObjectError: the bytes are not a manifest, or lack the threshold.
    """
    manifest = documents.parse_document(data, Manifest, name)
    if SCORE not in manifest.thresholds:
        raise DamagedObjectError(f"{name} has no threshold {SCORE!r}.")
    return manifest


def list_versions(store: Store, after: str | None = None) -> Page:
    """List the versions, newest first.

    A version may be incomplete; `load_manifest` then raises `UnknownError`.
    """
    return _folder(store).page(after)


def _folder(store: Store) -> Folder:
    return Folder(store, "models", MANIFEST_FILE)


def _created(version: str) -> datetime:
    """The time in the name of a version."""
    time, _, _ = version.partition("-")
    return datetime.strptime(time, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _key(version: str, name: str) -> str:
    return f"models/{version}/{name}"
