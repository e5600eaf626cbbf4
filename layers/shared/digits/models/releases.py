"""Which model is live: an append-only log, `releases/<n>.json`. The highest `n` counts; a rollback is a new entry."""

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
    """One entry of the log: from `created` (ISO 8601, UTC) on, `version` is live, for this reason."""

    number: int
    version: str
    reason: str
    created: str
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True)
class Served:
    """What the predict function loads of a release: its number, and its model's manifest and `model.tflite`.

    Without them the release is of the model that is bundled with the function.
    """

    number: int
    model: tuple[Manifest, bytes] | None


def release(
    store: Store, version: str, reason: str, after: int | None = None
) -> Release:
    """Make a model live.

    Releases of the same version for the same reason are one release, if no other came
        between them: the answer to the first may have been lost. Of different releases
        made at the same time, each gets a number of its own.

    Args:
        store: has the model.
        version: the model, or `bundled`.
        reason: kept forever.
        after: the number behind which this release may have been made before; without
            it, only the newest is looked at.

    Raises:
        ConflictError: the model is damaged, or not whole.
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


def live(store: Store) -> Release | None:
    """The release that counts now; None before the first.

    Raises:
        DamagedObjectError: its entry cannot be trusted.
    """
    return _load(store, _log(store).newest())


def live_version(store: Store) -> str:
    """The model that answers now: `bundled` before the first release.

    Raises:
        DamagedObjectError: the newest release cannot be trusted.
    """
    release = live(store)
    return release.version if release else BUNDLED


def newest_number(store: Store) -> int:
    """The number of the newest release; 0 before the first."""
    return _log(store).newest().number


def load(store: Store, number: int) -> Release:
    """One entry of the log.

    Raises:
        DamagedObjectError: it cannot be trusted.
        MissingObjectError: there is none of this number.
    """
    return _parse(number, store.read(_log(store).key(number)))


def look(store: Store, known: int | None) -> Served | None:
    """What the release that counts now serves; None before the first, and while it is the one known.

    Raises:
        DamagedObjectError: a part of it cannot be trusted.
        UnknownError: its model is gone.
    """
    newest = _log(store).newest(known or 0)
    if newest.number == (known or 0):
        return None
    found = _load(store, newest)
    if found is None or found.version == BUNDLED:
        return Served(newest.number, None)
    manifest = manifests.load_manifest(store, found.version)
    return Served(
        newest.number, (manifest, manifests.load_file(store, manifest, MODEL_FILE))
    )


def _log(store: Store) -> Series:
    return Series(store, "releases", "{}.json")


def _load(store: Store, found: Numbered) -> Release | None:
    if not found.number:
        return None
    return (
        load(store, found.number)
        if found.data is None
        else _parse(found.number, found.data)
    )


def _parse(number: int, data: bytes) -> Release:
    found = documents.parse_document(data, Release, f"Release {number}")
    if found.number != number:
        raise DamagedObjectError(
            f"Release {number} says that it has number {found.number}."
        )
    return found


def _check_complete(store: Store, version: str) -> None:
    """See that a model can be loaded before anyone is told to."""
    if version == BUNDLED:
        return
    try:
        manifest = manifests.load_manifest(store, version)
        manifests.load_file(store, manifest, MODEL_FILE)
    except DamagedObjectError as error:
        raise ConflictError(
            f"Model {version} cannot be released: {error.detail} Release another one."
        ) from error
