"""The list of models for `GET /models` and `digits models list`, with the bundled model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from digits import documents, parallel
from digits.errors import DamagedObjectError, UnknownError
from digits.models import manifests
from digits.models.manifests import BUNDLED, Manifest
from digits.store import Store


@dataclass(frozen=True)
class CatalogueEntry:
    """A model in a list.

    Attributes:
        name: the model's version, or `bundled`.
        manifest: describes the model; None if the manifest cannot be read.
        problem: why the manifest cannot be read.
    """

    name: str
    manifest: Manifest | None
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The model as `GET /models` answers."""
        if self.manifest is None:
            return {"version": self.name, "problem": self.problem}
        document = documents.to_json(self.manifest)
        document["version"] = self.name
        if self.name == BUNDLED:
            document["model_version"] = self.manifest.version
        return document


@dataclass(frozen=True)
class CataloguePage:
    """Some of the models, newest first, and the key of the next page; None on the last page."""

    entries: list[CatalogueEntry]
    next: str | None


def list_models(
    store: Store, bundled: Manifest, after: str | None = None
) -> CataloguePage:
    """A page of the models. The bundled model is the last model of the last page.

    Args:
        store: has the models.
        bundled: the manifest of the bundled model.
        after: `next` of the page before.
    """

    def load_entry(version: str) -> CatalogueEntry | None:
        return _load_entry(store, version)

    page = manifests.list_versions(store, after)
    entries = [entry for entry in parallel.each(load_entry, page.ids) if entry]
    if page.next is None:
        entries.append(CatalogueEntry(BUNDLED, bundled))
    return CataloguePage(entries, page.next)


def list_all_models(store: Store, bundled: Manifest) -> Iterator[CatalogueEntry]:
    """Every model, newest first, the bundled model last."""
    page = list_models(store, bundled)
    yield from page.entries
    while page.next is not None:
        page = list_models(store, bundled, page.next)
        yield from page.entries


def find_model(store: Store, bundled: Manifest, name: str) -> CatalogueEntry:
    """The model of a name.

    Raises:
        DamagedObjectError: the model's manifest cannot be trusted.
        UnknownError: there is no such model.
    """
    if name == BUNDLED:
        return CatalogueEntry(BUNDLED, bundled)
    return CatalogueEntry(name, manifests.load_manifest(store, name))


def _load_entry(store: Store, version: str) -> CatalogueEntry | None:
    """A model of the store; None while the model is not complete."""
    try:
        return CatalogueEntry(version, manifests.load_manifest(store, version))
    except UnknownError:
        return None
    except DamagedObjectError as error:
        return CatalogueEntry(version, None, error.detail)
