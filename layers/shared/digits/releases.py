"""Which model is live: an append-only log, `releases/<n>.json`. The highest `n` counts; a rollback is a new entry."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from digits import models
from digits.errors import ConflictError, DamagedObjectError
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

    def to_json(self) -> dict[str, Any]:
        """The document that is stored and that the API answers with."""
        return asdict(self)


@dataclass(frozen=True)
class Served:
    """What the predict function loads of a release: its number, and its model's manifest and `model.tflite`."""

    number: int
    manifest: models.Manifest
    model: bytes


def release(store: Store, version: str, reason: str) -> Release:
    """Make a model live.

    Of releases made at the same time, each gets a number of its own; none overwrites another.

    Raises:
        UnknownError: there is no such model.
    """
    models.load_manifest(store, version)
    number = latest_number(store) + 1
    while True:
        made = Release(number, version, reason, created=datetime.now(UTC).isoformat(timespec="seconds"))
        try:
            store.create_json(_key(number), made.to_json())
        except ConflictError:
            number += 1
        else:
            return made


def live(store: Store) -> Release | None:
    """The release that counts now; None before the first.

    Raises:
        DamagedObjectError: its entry cannot be trusted.
    """
    number = latest_number(store)
    return load(store, number) if number else None


def look(store: Store, known: int | None) -> Served | None:
    """What the release that counts now serves; None before the first, and while it is the one known.

    Raises:
        DamagedObjectError: a part of it cannot be trusted.
    """
    number = latest_number(store)
    if not number or number == known:
        return None
    manifest = models.load_manifest(store, load(store, number).version)
    return Served(number, manifest, models.load_file(store, manifest, models.MODEL_FILE))


def load(store: Store, number: int) -> Release:
    """One entry of the log.

    Raises:
        DamagedObjectError: a field is missing or unknown, or the schema version is not ours.
    """
    document = store.read_json(_key(number))
    try:
        found = Release(**document)
    except TypeError as error:
        raise DamagedObjectError(f"Release {number} is not as it should be: {error}.") from error
    if (found.schema_version, found.number) != (SCHEMA_VERSION, number):
        raise DamagedObjectError(f"Release {number} has schema version {found.schema_version}, number {found.number}.")
    return found


def latest_number(store: Store) -> int:
    """The highest number in the log; 0 before the first release."""
    names = (entry.key.removeprefix("releases/").removesuffix(".json") for entry in store.entries("releases"))
    return max((int(name) for name in names if name.isdigit()), default=0)


def _key(number: int) -> str:
    return f"releases/{number}.json"
