"""The models that a new one is compared with."""

import logging
from dataclasses import dataclass

from digits.errors import DamagedObjectError, MissingObjectError, UnknownError
from digits.models import manifests, releases
from digits.models.manifests import BUNDLED, MANIFEST_FILE, MODEL_FILE, SCORE, Manifest
from digits.store import Store
from training import bundled

# What is wrong with a model that cannot be read. A store that does not answer is none of it.
UNREADABLE = (DamagedObjectError, MissingObjectError, UnknownError)
# One request of the store each.
_LOOKED_AT = 50

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rival:
    """A published model: its version, the bytes of its `model.tflite`, and the lowest score it takes for a digit's."""

    version: str
    model: bytes
    threshold: float


def find(store: Store, manifest: Manifest) -> dict[str, Rival]:
    """The models to compare one with, by what they are to it: the live one, and the newest of the lab's network."""
    found = {"the lab's network": newest(store, "lab", manifest.dataset)}
    try:
        found = {"the live model": live(store), **found}
    except UNREADABLE as error:
        logger.warning("The live model cannot be compared with: %s", error.detail)
    return {
        name: rival
        for name, rival in found.items()
        if rival and rival.version != manifest.version
    }


def live(store: Store) -> Rival:
    """The model that answers now.

    Raises:
        DamagedObjectError: its release, or a part of it, cannot be read.
        UnknownError: it is gone.
    """
    version = releases.live_version(store)
    return _bundled() if version == BUNDLED else _load(store, version)


def newest(store: Store, architecture: str, dataset: str) -> Rival | None:
    """The newest model of an architecture that was trained on a dataset of this name, if among the newest of all."""
    for version in manifests.list_versions(store).ids[:_LOOKED_AT]:
        try:
            manifest = manifests.load_manifest(store, version)
            if (
                manifest.dataset == dataset
                and manifest.parameters.get("architecture") == architecture
            ):
                return _load(store, version)
        except UNREADABLE as error:
            logger.warning("%s cannot be compared with: %s", version, error.detail)
    return None


def _load(store: Store, version: str) -> Rival:
    manifest = manifests.load_manifest(store, version)
    return Rival(
        version,
        manifests.load_file(store, manifest, MODEL_FILE),
        manifest.thresholds[SCORE],
    )


def _bundled() -> Rival:
    manifest = manifests.parse_manifest((bundled.FOLDER / MANIFEST_FILE).read_bytes())
    model = manifest.check(MODEL_FILE, (bundled.FOLDER / MODEL_FILE).read_bytes())
    return Rival(manifest.version, model, manifest.thresholds[SCORE])
