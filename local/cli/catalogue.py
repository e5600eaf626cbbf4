"""The models that there are: those in the store, and the one that is bundled with the code."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from digits import documents, parallel
from digits.errors import DamagedObjectError, UnknownError
from digits.models import manifests
from digits.models.manifests import BUNDLED, MANIFEST_FILE, MODEL_FILE, Manifest
from digits.store import Store
from local.checkout import BUNDLED_FOLDER


@dataclass(frozen=True)
class CatalogueEntry:
    """A model in a list: its name, and its manifest or what is wrong with that."""

    name: str
    manifest: Manifest | None
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The model as `GET /models` has it."""
        if self.manifest is None:
            return {"version": self.name, "problem": self.problem}
        document = documents.to_json(self.manifest) | {"version": self.name}
        return document | (
            {"model_version": self.manifest.version} if self.name == BUNDLED else {}
        )


def list_models(store: Store) -> Iterator[CatalogueEntry]:
    """Every model, newest first, the bundled one last."""
    page = manifests.list_versions(store)
    while True:
        yield from filter(
            None, parallel.each(lambda name: _list(store, name), page.ids)
        )
        if page.next is None:
            break
        page = manifests.list_versions(store, page.next)
    yield CatalogueEntry(BUNDLED, load_manifest(store, BUNDLED))


def load_manifest(store: Store, name: str) -> Manifest:
    """A model's manifest.

    Raises:
        DamagedObjectError: it cannot be trusted.
        UnknownError: there is no such model.
    """
    if name == BUNDLED:
        return manifests.parse_manifest((BUNDLED_FOLDER / MANIFEST_FILE).read_bytes())
    return manifests.load_manifest(store, name)


def load_model(store: Store, name: str) -> tuple[Manifest, bytes]:
    """A model's manifest, and the `model.tflite` that it describes.

    Raises:
        DamagedObjectError: one of them cannot be trusted.
        UnknownError: there is no such model.
    """
    manifest = load_manifest(store, name)
    if name == BUNDLED:
        return manifest, manifest.check(
            MODEL_FILE, (BUNDLED_FOLDER / MODEL_FILE).read_bytes()
        )
    return manifest, manifests.load_file(store, manifest, MODEL_FILE)


def _list(store: Store, name: str) -> CatalogueEntry | None:
    """A model for a list; None of one that is not complete yet."""
    try:
        return CatalogueEntry(name, load_manifest(store, name))
    except UnknownError:
        return None
    except DamagedObjectError as error:
        return CatalogueEntry(name, None, error.detail)
