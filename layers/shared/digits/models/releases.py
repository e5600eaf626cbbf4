"""Which model is live, as an append-only log: `releases/<n>.json`.

The model of the highest `n` is live. A rollback is a new entry.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from digits import documents
from digits.errors import ConflictError, DamagedObjectError
from digits.models import manifests
from digits.models.manifests import BUNDLED, MODEL_FILE, Manifest
from digits.series import Numbered, Series
from digits.store import Store

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Release:
    """One entry of the log: `version` is live from `created` (ISO 8601, UTC) on."""

    number: int
    version: str
    reason: str
    created: str
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True)
class Served:
    """A release as the predict function loads it.

    Attributes:
        number: the number of the release.
        model: the manifest and the `model.tflite`; None if the release is of the model
            that is bundled with the function.
    """

    number: int
    model: tuple[Manifest, bytes] | None


def release(
    store: Store, version: str, reason: str, after: int | None = None
) -> Release:
    """Make a model live.

    Two calls with the same version and reason make one release, unless another release
    came between: the answer to the first call may have been lost. Of different releases
    at the same time, each gets a different number.

    Args:
        store: has the model.
        version: the model, or `bundled`.
        reason: is kept forever.
        after: the number after which an earlier call may have made this release. By
            default only the newest release counts as an earlier call's.

    Raises:
        ConflictError: the model is damaged or incomplete.
        UnknownError: there is no such model.
    """
    _check_complete(store, version)
    made = {}

    def make(number: int) -> bytes:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        made[number] = Release(number, version, reason, now)
        return documents.to_bytes(made[number])

    def is_own(number: int, data: bytes) -> bool:
        try:
            made[number] = _parse(number, data)
        except DamagedObjectError:
            return False
        return (made[number].version, made[number].reason) == (version, reason)

    log = _log(store)
    start = max(0, log.newest().number - 1) if after is None else after
    newest = log.append(start, make, is_own)
    log.note(newest)
    return made[newest.number]


def live_release(store: Store) -> Release | None:
    """The newest release; None before the first.

    Raises:
        DamagedObjectError: the release cannot be trusted.
    """
    return _load(store, _log(store).newest())


def live_version(store: Store) -> str:
    """The version of the live model, which is `bundled` before the first release.

    Raises:
        DamagedObjectError: the newest release cannot be trusted.
    """
    release = live_release(store)
    return release.version if release else BUNDLED


def newest_number(store: Store) -> int:
    """The number of the newest release; 0 before the first."""
    return _log(store).newest().number


def load_release(store: Store, number: int) -> Release:
    """Load a release by its number.

    Raises:
        DamagedObjectError: the release cannot be trusted.
        MissingObjectError: there is no such release.
    """
    return _parse(number, store.read(_log(store).key(number)))


def find_newer(store: Store, known: int | None) -> Served | None:
    """Load the newest release and its model; None if the newest release is the known release.

    Args:
        store: has the releases.
        known: the number of the release that the caller has loaded; None if the caller
            has loaded no release.

    Raises:
        DamagedObjectError: the release or its model cannot be trusted.
        UnknownError: the release's model is missing.
    """
    known = known or 0
    newest = _log(store).newest(known)
    if newest.number == known:
        return None
    release = _load(store, newest)
    if release is None or release.version == BUNDLED:
        return Served(newest.number, None)
    manifest = manifests.load_manifest(store, release.version)
    model = manifests.load_file(store, manifest, MODEL_FILE)
    return Served(newest.number, (manifest, model))


def _log(store: Store) -> Series:
    return Series(store, "releases", "{}.json")


def _load(store: Store, entry: Numbered) -> Release | None:
    if not entry.number:
        return None
    if entry.data is None:
        return load_release(store, entry.number)
    return _parse(entry.number, entry.data)


def _parse(number: int, data: bytes) -> Release:
    release = documents.parse_document(data, Release, f"Release {number}")
    if release.number != number:
        raise DamagedObjectError(f"Release {number} has the number {release.number}.")
    return release


def _check_complete(store: Store, version: str) -> None:
    """Check that the model loads, before the predict function is told to load the model."""
    if version == BUNDLED:
        return
    try:
        manifest = manifests.load_manifest(store, version)
        manifests.load_file(store, manifest, MODEL_FILE)
    except DamagedObjectError as error:
        raise ConflictError(
            f"Model {version} cannot be released: {error.detail} Release another model."
        ) from error
