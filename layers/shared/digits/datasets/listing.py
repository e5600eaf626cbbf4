"""What `GET /datasets` answers: each dataset with its newest versions, its upload and its problem.

Three rounds of parallel requests: the names, the newest number of each dataset's
versions, and the rest.
"""

from typing import Any, NamedTuple

from digits import parallel
from digits.datasets import uploads, versions
from digits.errors import DamagedObjectError, MissingObjectError
from digits.store import Entry, Store

# Per dataset. Each version takes two requests.
VERSIONS = 10
PAGE = 20

Json = dict[str, Any]


class Page(NamedTuple):
    """Datasets as JSON, by name, and the name to ask for the next page with; None on the last."""

    datasets: list[Json]
    next: str | None


def list_datasets(store: Store, after: str | None = None) -> Page:
    """List the datasets whose names come after `after`."""
    folders, upload_of = parallel.both(
        lambda: store.folders("datasets"), lambda: uploads.list_uploads(store)
    )
    names = sorted({*folders, *upload_of})
    if after:
        names = [name for name in names if name > after]
    page = names[:PAGE]
    versions_of = _list_versions(store, page)

    def to_json(name: str) -> Json:
        return _to_json(store, name, versions_of[name], upload_of.get(name))

    is_last = len(names) <= PAGE
    return Page(parallel.each(to_json, page), None if is_last else page[-1])


def _list_versions(store: Store, names: list[str]) -> dict[str, list[Json]]:
    """The newest versions of each dataset, oldest first."""

    def newest_numbers(name: str) -> range:
        return versions.newest_numbers(store, name, VERSIONS)

    def to_json(key: tuple[str, int]) -> Json | None:
        name, number = key
        return _version_to_json(store, name, number)

    keys: list[tuple[str, int]] = []
    for name, numbers in zip(names, parallel.each(newest_numbers, names), strict=True):
        keys += [(name, number) for number in numbers]
    versions_of: dict[str, list[Json]] = {name: [] for name in names}
    for (name, _), version in zip(keys, parallel.each(to_json, keys), strict=True):
        if version:
            versions_of[name].append(version)
    return versions_of


def _version_to_json(store: Store, name: str, number: int) -> Json | None:
    """A version as JSON; None if the version is not complete."""
    if not versions.is_complete(store, name, number):
        return None
    try:
        version = versions.load_version(store, name, number)
    except (DamagedObjectError, MissingObjectError) as error:
        return {"version": versions.version_name(number), "problem": error.detail}
    return {"version": version.version, "counts": version.counts}


def _to_json(
    store: Store, name: str, dataset_versions: list[Json], upload: Entry | None
) -> Json:
    document: Json = {"name": name, "versions": dataset_versions}
    try:
        problem = uploads.load_problem(store, name)
        if problem:
            document["problem"] = vars(problem)
        if upload:
            is_known = bool(dataset_versions or problem)
            state = uploads.upload_state(store, name, upload, is_known=is_known)
            if state:
                document["upload"] = state
    except DamagedObjectError as error:
        document["problem"] = {"detail": error.detail}
    return document
