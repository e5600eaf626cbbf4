"""What `GET /datasets` tells: each dataset with its newest versions, its upload and its problem.

Three rounds of requests, each at once: the names, where each series of versions ends, and the rest.
"""

from typing import Any, NamedTuple

from digits import parallel
from digits.datasets import uploads, versions
from digits.errors import DamagedObjectError, MissingObjectError
from digits.store import Entry, Store

# Each version takes two requests.
VERSIONS = 10
PAGE = 20


class Page(NamedTuple):
    """Datasets as JSON, in the order of their names, and the name to ask the next page with; None on the last."""

    datasets: list[dict[str, Any]]
    next: str | None


def page(store: Store, after: str | None = None) -> Page:
    """The datasets whose names come after `after`."""
    stored, uploaded = parallel.both(
        lambda: store.folders("datasets"), lambda: uploads.list_uploads(store)
    )
    names = sorted(name for name in {*stored, *uploaded} if name > (after or ""))
    here = names[:PAGE]
    versions = _versions(store, here)

    def describe(name: str) -> dict[str, Any]:
        return _describe(store, name, versions[name], uploaded.get(name))

    following = here[-1] if len(names) > len(here) else None
    return Page(parallel.each(describe, here), following)


def _versions(store: Store, names: list[str]) -> dict[str, list[dict[str, Any]]]:
    """The newest versions of each dataset, oldest first."""

    def numbers(name: str) -> range:
        return versions.newest_numbers(store, name, VERSIONS)

    def version(wanted: tuple[str, int]) -> list[dict[str, Any]]:
        return _version(store, *wanted)

    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    wanted: list[tuple[str, int]] = []
    for name, here in zip(names, parallel.each(numbers, names), strict=True):
        wanted += [(name, number) for number in here]
    for (name, _), described in zip(
        wanted, parallel.each(version, wanted), strict=True
    ):
        found[name] += described
    return found


def _version(store: Store, name: str, number: int) -> list[dict[str, Any]]:
    """A version, if it is complete."""
    if not versions.is_complete(store, name, number):
        return []
    try:
        found = versions.load(store, name, number)
    except (DamagedObjectError, MissingObjectError) as error:
        return [{"version": f"{number}.0.0", "problem": error.detail}]
    return [{"version": found.version, "counts": found.counts}]


def _describe(
    store: Store, name: str, versions: list[dict[str, Any]], upload: Entry | None
) -> dict[str, Any]:
    described: dict[str, Any] = {"name": name, "versions": versions}
    try:
        problem = uploads.load_problem(store, name)
        is_known = bool(versions or problem)
        state = (
            uploads.upload_state(store, name, upload, is_known=is_known)
            if upload
            else None
        )
    except DamagedObjectError as error:
        return described | {"problem": {"detail": error.detail}}
    if problem:
        described["problem"] = vars(problem)
    if state:
        described["upload"] = state
    return described
