"""All models: the models in the store, and the model that is bundled with the code."""

from collections.abc import Iterator

from digits.models import manifests
from digits.models.catalogue import CatalogueEntry, list_all_models
from digits.models.manifests import BUNDLED, MANIFEST_FILE, MODEL_FILE, Manifest
from digits.store import Store
from local.checkout import BUNDLED_FOLDER


def list_models(store: Store) -> Iterator[CatalogueEntry]:
    """Every model, newest first, the bundled model last."""
    return list_all_models(store, load_manifest(store, BUNDLED))


def load_manifest(store: Store, name: str) -> Manifest:
    """A model's manifest.

    Raises:
        DamagedObjectError: the manifest is damaged.
        UnknownError: there is no such model.
    """
    if name == BUNDLED:
        return manifests.parse_manifest((BUNDLED_FOLDER / MANIFEST_FILE).read_bytes())
    return manifests.load_manifest(store, name)


def load_model(store: Store, name: str) -> tuple[Manifest, bytes]:
    """A model's manifest, and its `model.tflite`.

    Raises:
        DamagedObjectError: the manifest or the model is damaged.
        UnknownError: there is no such model.
    """
    manifest = load_manifest(store, name)
    if name == BUNDLED:
        model = (BUNDLED_FOLDER / MODEL_FILE).read_bytes()
        return manifest, manifest.check(MODEL_FILE, model)
    return manifest, manifests.load_file(store, manifest, MODEL_FILE)
