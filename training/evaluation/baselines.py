"""The baseline models that a new model is compared with."""

import logging

from digits.errors import DamagedObjectError, MissingObjectError, UnknownError
from digits.models import manifests, releases
from digits.models.manifests import BUNDLED, MANIFEST_FILE, MODEL_FILE, SCORE, Manifest
from digits.store import Store
from training import bundled
from training.evaluation.predictions import ExportedModel

# The errors of a model that cannot be read. A store that does not answer is another error.
UNREADABLE = (DamagedObjectError, MissingObjectError, UnknownError)
# Each is a request to the store.
_MANIFESTS_SEARCHED = 50

logger = logging.getLogger(__name__)


def load_baselines(store: Store, manifest: Manifest) -> dict[str, ExportedModel]:
    """The live model and the newest model of the lab's network, except the manifest's own model."""
    candidates = {
        "the live model": _load_live_if_readable(store),
        "the lab's network": load_newest(store, "lab", manifest.dataset),
    }
    return {
        name: model
        for name, model in candidates.items()
        if model and model.version != manifest.version
    }


def load_live(store: Store) -> ExportedModel:
    """The model that answers now.

    Raises:
        DamagedObjectError: the release, or a part of the model, cannot be read.
        UnknownError: the model is gone.
    """
    version = releases.live_version(store)
    if version == BUNDLED:
        return _load_bundled()
    return _load_from_store(store, manifests.load_manifest(store, version))


def load_newest(store: Store, architecture: str, dataset: str) -> ExportedModel | None:
    """The newest model of an architecture and a dataset, if it is among the newest 50 models."""
    for version in manifests.list_versions(store).ids[:_MANIFESTS_SEARCHED]:
        try:
            manifest = manifests.load_manifest(store, version)
            is_same_dataset = manifest.dataset == dataset
            if (
                is_same_dataset
                and manifest.parameters.get("architecture") == architecture
            ):
                return _load_from_store(store, manifest)
        except UNREADABLE as error:
            logger.warning("Model %s is no baseline: %s", version, error.detail)
    return None


def _load_live_if_readable(store: Store) -> ExportedModel | None:
    try:
        return load_live(store)
    except UNREADABLE as error:
        logger.warning("The live model is no baseline: %s", error.detail)
        return None


def _load_from_store(store: Store, manifest: Manifest) -> ExportedModel:
    model = manifests.load_file(store, manifest, MODEL_FILE)
    return ExportedModel(manifest.version, model, manifest.thresholds[SCORE])


def _load_bundled() -> ExportedModel:
    manifest = manifests.parse_manifest((bundled.FOLDER / MANIFEST_FILE).read_bytes())
    model = manifest.check(MODEL_FILE, (bundled.FOLDER / MODEL_FILE).read_bytes())
    return ExportedModel(manifest.version, model, manifest.thresholds[SCORE])
