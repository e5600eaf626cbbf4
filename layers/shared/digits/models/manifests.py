"""Trained models in the store: immutable versions under `models/<version>/`, complete once `manifest.json` is there."""

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
# How good it is, for programs and for people. Not in the manifest: what is timed differs each time.
METRICS_FILE = "metrics.json"
REPORT_FILE = "report.html"
# In a manifest's thresholds: the lowest score of a digit.
SCORE = "score"
# The model that comes with the predict function: live until there is a release, and
# again if a release names it.
BUNDLED = "bundled"


@dataclass(frozen=True)
class FileInfo:
    """What a file must be: its size in bytes and its sha256 in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """Where a model came from, how good it is, and what its files must hash to."""

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
        """`data`, which must be the file `name` that this manifest speaks of.

        Raises:
            DamagedObjectError: it is another file, or not whole.
        """
        expected = self.files.get(name)
        if expected is None or expected != file_info(data):
            raise DamagedObjectError(
                f"{name} of model {self.version} does not match its manifest."
            )
        return data


def file_info(data: bytes) -> FileInfo:
    """Size and checksum of a file's content."""
    return FileInfo(size=len(data), sha256=hashlib.sha256(data).hexdigest())


def version_name(created: datetime, files: dict[str, bytes]) -> str:
    """`<UTC time>-<8 hex of content>`, such as `20260131T101500Z-1a2b3c4d`: the same time and files, the same name."""
    content = hashlib.sha256()
    for name in sorted(files):
        content.update(hashlib.sha256(files[name]).digest())
    return f"{created:%Y%m%dT%H%M%SZ}-{content.hexdigest()[:8]}"


def publish(store: Store, manifest: Manifest, files: dict[str, bytes]) -> None:
    """Write a model's files, and its manifest last. Publishing the same version again changes none that it describes.

    Args:
        store: where the model goes.
        manifest: describes it.
        files: content by name, of each that the manifest describes, and of others.

    Raises:
        DamagedObjectError: a file is not as the manifest describes it.
    """
    for name in manifest.files:
        manifest.check(name, files[name])
    for name, data in files.items():
        store.write(_key(manifest.version, name), data)
    _folder(store).add(manifest.version, _created(manifest.version))
    try:
        store.create(
            _key(manifest.version, MANIFEST_FILE), documents.to_bytes(manifest)
        )
    except ConflictError:
        load_manifest(store, manifest.version)


def load_manifest(store: Store, version: str) -> Manifest:
    """The manifest of a version.

    Raises:
        UnknownError: there is no such version, or it is not complete.
        DamagedObjectError: the stored manifest cannot be trusted.
    """
    try:
        data = store.read(_key(version, MANIFEST_FILE))
    except MissingObjectError as error:
        raise UnknownError(
            f"There is no model {version!r}. List the models with GET /models."
        ) from error
    manifest = parse_manifest(data, f"The manifest of model {version}")
    if manifest.version != version:
        raise DamagedObjectError(
            f"The manifest of model {version} speaks of {manifest.version}."
        )
    return manifest


def load_file(store: Store, manifest: Manifest, name: str) -> bytes:
    """A file of a model, checked against its manifest.

    Raises:
        DamagedObjectError: the stored file is gone, or not the one that was published.
    """
    try:
        data = store.read(_key(manifest.version, name))
    except MissingObjectError as error:
        raise DamagedObjectError(
            f"{name} of model {manifest.version} is gone."
        ) from error
    return manifest.check(name, data)


def load_report(store: Store, version: str) -> bytes:
    """The HTML report on a model.

    Raises:
        UnknownError: there is no such version, or none was written.
    """
    try:
        return store.read(_key(version, REPORT_FILE))
    except MissingObjectError as error:
        raise UnknownError(
            f"There is no report on a model {version!r}. List the models with GET /models."
        ) from error


def parse_manifest(data: bytes, name: str = "The manifest") -> Manifest:
    """A manifest from the bytes of its file.

    Raises:
        DamagedObjectError: they are not a manifest, or name no threshold.
    """
    manifest = documents.parse_document(data, Manifest, name)
    if SCORE not in manifest.thresholds:
        raise DamagedObjectError(f"{name} names no lowest score of a digit.")
    return manifest


def list_versions(store: Store, after: str | None = None) -> Page:
    """Versions, newest first. One may not be complete yet: `load_manifest` knows none then."""
    return _folder(store).page(after)


def _folder(store: Store) -> Folder:
    return Folder(store, "models", MANIFEST_FILE)


def _created(version: str) -> datetime:
    """When a version was made, by its name."""
    return datetime.strptime(version.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(
        tzinfo=UTC
    )


def _key(version: str, name: str) -> str:
    return f"models/{version}/{name}"
