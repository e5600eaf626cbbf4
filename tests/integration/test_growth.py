"""What grows with a store's history: nothing. Requests to S3 are counted by the proxy in front of it."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from moto.s3.models import s3_backends

from digits import datasets, documents, jobs
from digits.datasets import listing, versions
from digits.jobs import Result
from digits.models import manifests, releases
from digits.models.manifests import Manifest
from digits.parameters import Parameters
from digits.store import Store
from tests.conftest import BUCKET, sample_event
from tests.faults import Fault, FaultProxy, Request

# S3 lists 1,000 keys a request, so that what lists everything takes more of them for
# the larger one.
SIZES = (1, 1100)
# Where one request waits for another. A page of jobs is 150 documents, of which 50 are
# read at a time.
MOST_ROUNDS = {"/train": 5, "/models": 3, "/datasets": 6}
START = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = b"graph"
Put = Callable[[str, bytes], None]
Json = dict[str, Any]


def model_version(number: int) -> str:
    return f"{START + timedelta(seconds=number):%Y%m%dT%H%M%SZ}-00000000"


def index(folder: str, created: datetime, thing: str) -> str:
    return f"{folder}/.newest/{9_999_999_999_999 - int(created.timestamp() * 1000):013}_{thing}"


def put_releases(put: Put, count: int) -> None:
    for number in range(1, count + 1):
        release = releases.Release(
            number, model_version(1), f"release {number}", START.isoformat()
        )
        put(f"releases/{number}.json", documents.to_bytes(release))
    put(
        "releases/.newest.json",
        json.dumps({"number": count, "object": documents.to_json(release)}).encode(),
    )


def put_models(put: Put, count: int) -> None:
    files = {"model.tflite": manifests.file_info(MODEL)}
    manifest = Manifest(
        "", "small", "1.0.0", "abc", {}, {"accuracy": 0.9}, {"score": 0.5}, files
    )
    for number in range(1, count + 1):
        version = model_version(number)
        put(index("models", START + timedelta(seconds=number), version), b"")
        put(
            f"models/{version}/manifest.json",
            documents.to_bytes(replace(manifest, version=version)),
        )
    put(f"models/{model_version(1)}/model.tflite", MODEL)


def put_jobs(put: Put, count: int) -> None:
    for number in range(1, count + 1):
        created = START + timedelta(seconds=number)
        request = jobs.Request(
            f"job-{number}",
            created,
            "small",
            "1.0.0",
            Parameters().model_dump(),
            "batch",
        )
        put(index("jobs", created, request.job_id), b"")
        put(f"jobs/{request.job_id}/request.json", documents.to_bytes(request))
        put(
            f"jobs/{request.job_id}/result.json",
            documents.to_bytes(Result("SUCCEEDED", "", created)),
        )


def put_versions(put: Put, count: int) -> None:
    for number in range(1, count + 1):
        sha256 = f"{number:064x}"
        source = {
            "sha256": sha256,
            "counts": {"train": 37, "test": 11},
            "converter_version": 1,
            "schema_version": 1,
        }
        put(f"datasets/small/{number}.0.0/source.json", json.dumps(source).encode())
        put(f"datasets/small/{number}.0.0/dataset_info.json", b"{}")
        put(
            f"datasets/small/.uploads/{sha256}.json",
            json.dumps({"number": number}).encode(),
        )
    put(
        "datasets/small/.newest.json",
        json.dumps({"number": count, "object": source}).encode(),
    )


@pytest.fixture(params=SIZES)
def grown(request: pytest.FixtureRequest, faulty_store: Store) -> Store:
    """A store with this many releases, models, jobs, and versions of a dataset, as this code leaves them."""
    prefix = faulty_store.url.removeprefix(f"s3://{BUCKET}/")
    (account,) = s3_backends
    backend = s3_backends[account]["aws"]

    def put(key: str, data: bytes) -> None:
        backend.put_object(BUCKET, f"{prefix}/{key}", data)

    for fill in (put_releases, put_models, put_jobs, put_versions):
        fill(put, request.param)
    return faulty_store


def operations(
    store: Store, small_npz: Path, app: ModuleType
) -> dict[str, tuple[Callable[[], Any], int]]:
    """What the service does, and how many requests that may take, whatever the store's size."""
    newest = releases.newest_number(store)
    page = jobs.list_job_ids(store).ids

    def ask(path: str) -> Json:
        answer = app.handler(
            sample_event("train") | {"httpMethod": "GET", "path": path, "body": None},
            None,
        )
        assert answer["statusCode"] == 200, answer
        found: Json = json.loads(answer["body"])
        return found

    return {
        "find the live release": (lambda: releases.newest_number(store), 2),
        "look for a newer release": (lambda: releases.find_newer(store, newest), 1),
        "load the live release": (lambda: releases.find_newer(store, None), 4),
        "release a model": (
            lambda: releases.release(store, model_version(1), "another"),
            9,
        ),
        "GET /train": (lambda: ask("/train"), 2 + 3 * len(page)),
        "GET /train/{job_id}": (lambda: ask("/train/job-1"), 3),
        "GET /models": (lambda: ask("/models"), 2 + 2 + len(page)),
        "GET /datasets": (lambda: ask("/datasets"), 2 + 2 + 3 + 2 * listing.VERSIONS),
        "find the newest version": (lambda: versions.latest_version(store, "small"), 4),
        "find a certain version": (lambda: versions.find_version(store, "small", "1.0.0"), 2),
        "convert a new upload": (
            lambda: datasets.convert(store, "small", small_npz),
            16,
        ),
        "convert an upload again": (
            lambda: datasets.convert(store, "small", small_npz),
            5,
        ),
    }


def count(faults: FaultProxy, operate: Callable[[], Any]) -> int:
    faults.forget()
    operate()
    return len(faults.requests())


def table(rows: Iterable[tuple[str, int, int]]) -> str:
    return "\n".join(
        f"{name:30}{requests:6}{limit:6}" for name, requests, limit in rows
    )


def test_requests_do_not_grow_with_history(
    grown: Store,
    faults: FaultProxy,
    small_npz: Path,
    load_function: Callable[[str, Store], ModuleType],
) -> None:
    wanted = operations(grown, small_npz, load_function("train", grown))
    rows = [
        (name, count(faults, operate), limit)
        for name, (operate, limit) in wanted.items()
    ]
    print(table(rows))  # noqa: T201  pytest -s shows it
    assert all(requests <= limit for _, requests, limit in rows), table(rows)


@pytest.mark.parametrize("grown", SIZES[-1:], indirect=True)
def test_lists_take_few_rounds_of_requests(
    grown: Store, faults: FaultProxy, load_function: Callable[[str, Store], ModuleType]
) -> None:
    """Each request takes half a second, so that those of a round are all under way at once."""
    app = load_function("train", grown)
    faults.add(Fault.LATENCY, seconds=0.5)
    for path, limit in MOST_ROUNDS.items():
        faults.forget()
        app.handler(
            sample_event("train") | {"httpMethod": "GET", "path": path, "body": None},
            None,
        )
        assert rounds(faults.requests()) <= limit, path


def rounds(requests: list[Request]) -> int:
    """The length of the longest chain of requests of which each began when the one before had ended."""
    length, free = 0, 0.0
    for request in sorted(requests, key=lambda it: it.ended):
        if request.started >= free:
            length, free = length + 1, request.ended
    return length


def follow(app: ModuleType, path: str, kind: str) -> list[Json]:
    found: list[Json] = []
    query: dict[str, str] | None = None
    while True:
        event = sample_event("train") | {
            "httpMethod": "GET",
            "path": path,
            "body": None,
        }
        answer = json.loads(
            app.handler(event | {"queryStringParameters": query}, None)["body"]
        )
        found += answer[kind]
        if answer["next"] is None:
            return found
        query = {"after": answer["next"].partition("?after=")[2]}


def test_pages_hold_everything_once_and_newest_first(
    store: Store, load_function: Callable[[str, Store], ModuleType]
) -> None:
    """Things from before there was an index, too: they come last."""
    put_jobs(store.write, 120)
    put_models(store.write, 120)
    for folder in ("jobs", "models"):
        for entry in store.entries(f"{folder}/.newest")[60:]:
            store.delete(entry.key)
    app = load_function("train", store)
    newest_jobs = [f"job-{number}" for number in range(120, 0, -1)]
    found = [it["job_id"] for it in follow(app, "/train", "jobs")]
    assert (found[:60], sorted(found)) == (newest_jobs[:60], sorted(newest_jobs))
    newest_models = [model_version(number) for number in range(120, 0, -1)]
    found = [it["version"] for it in follow(app, "/models", "models")]
    assert (found[:60], sorted(found)) == (
        newest_models[:60],
        sorted([*newest_models, "bundled"]),
    )


def test_datasets_are_paged_by_name(
    store: Store, load_function: Callable[[str, Store], ModuleType]
) -> None:
    names = [f"d{number:03}" for number in range(listing.PAGE * 2 + 1)]
    for name in names:
        store.write(f"datasets/{name}/problem.json", b"{}")
    store.write("raw/e.npz", b"")
    found = follow(load_function("train", store), "/datasets", "datasets")
    assert [it["name"] for it in found] == [*names, "e"]
    assert found[-1] == {"name": "e", "versions": [], "upload": "converting"}


def test_stores_without_hints_and_indexes_go_on(store: Store, small_npz: Path) -> None:
    """A store from before there were any: found by listing, and indexed by the next conversion and release."""
    for fill in (put_releases, put_models, put_versions):
        fill(store.write, 12)
    first, newest = (
        versions.find_version(store, "small", f"{number}.0.0") for number in (1, 12)
    )
    for key in (
        "releases/.newest.json",
        "datasets/small/.newest.json",
        f"datasets/small/.uploads/{first.sha256}.json",
    ):
        store.delete(key)
    assert (releases.newest_number(store), versions.latest_version(store, "small")) == (
        12,
        newest,
    )
    assert (
        releases.release(store, model_version(1), "another").number
        == releases.newest_number(store)
        == 13
    )
    assert versions.version_of_upload(store, "small", first.sha256) == first
    made = datasets.convert(store, "small", small_npz)
    assert (made.version, made) == ("13.0.0", versions.latest_version(store, "small"))
