"""The number of requests does not grow with a store's history. A proxy before S3 counts."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from moto.s3.models import s3_backends

from digits import datasets, documents, jobs
from digits.datasets import listing, versions
from digits.datasets.uploads import upload_key
from digits.jobs import Result
from digits.models import manifests, releases
from digits.models.manifests import Manifest
from digits.parameters import Parameters
from digits.store import Store
from tests.conftest import BUCKET, sample_event
from tests.faults import Fault, FaultProxy, Request

# S3 lists 1,000 keys per request, so a listing of everything takes more requests in the
# larger store.
SIZES = (1, 1100)
# Requests that wait for one another. A page of jobs is 150 documents, which are read 50
# at a time.
MOST_ROUNDS = {"/train": 5, "/models": 3, "/datasets": 6}
START = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = b"graph"
Put = Callable[[str, bytes], None]
Json = dict[str, Any]


def model_version(number: int) -> str:
    return f"{START + timedelta(seconds=number):%Y%m%dT%H%M%SZ}-00000000"


def index(folder: str, created: datetime, item: str) -> str:
    countdown = 9_999_999_999_999 - int(created.timestamp() * 1000)
    return f"{folder}/.newest/{countdown:013}_{item}"


def put_releases(put: Put, count: int) -> None:
    for number in range(1, count + 1):
        release = releases.Release(
            number, model_version(1), f"release {number}", START.isoformat()
        )
        put(f"releases/{number}.json", documents.to_bytes(release))
    hint = {"number": count, "object": documents.to_json(release)}
    put("releases/.newest.json", json.dumps(hint).encode())


def put_models(put: Put, count: int) -> None:
    files = {"model.tflite": manifests.file_info(MODEL)}
    manifest = Manifest(
        "", "small", "1.0.0", "abc", {}, {"accuracy": 0.9}, {"score": 0.5}, files
    )
    for number in range(1, count + 1):
        version = model_version(number)
        put(index("models", START + timedelta(seconds=number), version), b"")
        document = documents.to_bytes(replace(manifest, version=version))
        put(f"models/{version}/manifest.json", document)
    put(f"models/{model_version(1)}/model.tflite", MODEL)


def put_jobs(put: Put, count: int) -> None:
    parameters = Parameters().model_dump()
    for number in range(1, count + 1):
        job_id = f"job-{number}"
        created = START + timedelta(seconds=number)
        request = jobs.Request(job_id, created, "small", "1.0.0", parameters, "batch")
        result = Result("SUCCEEDED", "", created)
        put(index("jobs", created, job_id), b"")
        put(f"jobs/{job_id}/request.json", documents.to_bytes(request))
        put(f"jobs/{job_id}/result.json", documents.to_bytes(result))


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
        indexed = {"number": number}
        put(f"datasets/small/.uploads/{sha256}.json", json.dumps(indexed).encode())
    hint = {"number": count, "object": source}
    put("datasets/small/.newest.json", json.dumps(hint).encode())


@pytest.fixture(params=SIZES)
def grown(request: pytest.FixtureRequest, faulty_store: Store) -> Store:
    """A store with N releases, models, jobs and versions of a dataset."""
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
    """Operations of the service, each with the most requests to a store of any size."""
    newest = releases.newest_number(store)
    page = jobs.list_job_ids(store).ids

    def ask(path: str) -> None:
        answer = app.handler(get(path), None)
        assert answer["statusCode"] == 200, answer

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
        "find a certain version": (
            lambda: versions.find_version(store, "small", "1.0.0"),
            2,
        ),
        "convert a new upload": (
            lambda: datasets.convert(store, "small", small_npz),
            16,
        ),
        "convert an upload again": (
            lambda: datasets.convert(store, "small", small_npz),
            5,
        ),
    }


def get(path: str, query: dict[str, str] | None = None) -> Json:
    """The event of a GET request."""
    request: Json = {
        "httpMethod": "GET",
        "path": path,
        "body": None,
        "queryStringParameters": query,
    }
    return sample_event("train") | request


def count(faults: FaultProxy, operate: Callable[[], Any]) -> int:
    faults.forget()
    operate()
    return len(faults.requests())


def test_requests_do_not_grow_with_history(
    grown: Store,
    faults: FaultProxy,
    small_npz: Path,
    load_function: Callable[[str, Store], ModuleType],
) -> None:
    app = load_function("train", grown)
    excesses: list[str] = []
    for name, (operate, limit) in operations(grown, small_npz, app).items():
        requests = count(faults, operate)
        if requests > limit:
            excesses.append(f"{name}: {requests} requests, at most {limit}")
    assert excesses == []


@pytest.mark.parametrize("grown", SIZES[-1:], indirect=True)
def test_lists_take_few_rounds_of_requests(
    grown: Store, faults: FaultProxy, load_function: Callable[[str, Store], ModuleType]
) -> None:
    """Each request takes half a second, so all requests of a round overlap."""
    app = load_function("train", grown)
    faults.add(Fault.LATENCY, seconds=0.5)
    for path, limit in MOST_ROUNDS.items():
        faults.forget()
        app.handler(get(path), None)
        assert rounds(faults.requests()) <= limit, path


def rounds(requests: list[Request]) -> int:
    """The length of the longest chain in which each request began after the end of the last."""
    length = 0
    last_end = 0.0
    for request in sorted(requests, key=attrgetter("ended")):
        if request.started >= last_end:
            length += 1
            last_end = request.ended
    return length


def follow(app: ModuleType, path: str, kind: str) -> list[Json]:
    """The items of all pages."""
    items: list[Json] = []
    query: dict[str, str] | None = None
    while True:
        answer = app.handler(get(path, query), None)
        page = json.loads(answer["body"])
        items += page[kind]
        if page["next"] is None:
            return items
        query = {"after": page["next"].partition("?after=")[2]}


def test_pages_hold_every_item_once_and_newest_first(
    store: Store, load_function: Callable[[str, Store], ModuleType]
) -> None:
    """Items from before there was an index come last."""
    put_jobs(store.write, 120)
    put_models(store.write, 120)
    for folder in ("jobs", "models"):
        for entry in store.entries(f"{folder}/.newest")[60:]:
            store.delete(entry.key)
    app = load_function("train", store)
    newest_jobs = [f"job-{number}" for number in range(120, 0, -1)]
    job_ids = [job["job_id"] for job in follow(app, "/train", "jobs")]
    assert job_ids[:60] == newest_jobs[:60]
    assert sorted(job_ids) == sorted(newest_jobs)
    newest_models = [model_version(number) for number in range(120, 0, -1)]
    names = [model["version"] for model in follow(app, "/models", "models")]
    assert names[:60] == newest_models[:60]
    assert sorted(names) == sorted([*newest_models, "bundled"])


def test_datasets_are_paged_by_name(
    store: Store, load_function: Callable[[str, Store], ModuleType]
) -> None:
    names = [f"d{number:03}" for number in range(listing.PAGE * 2 + 1)]
    for name in names:
        store.write(f"datasets/{name}/problem.json", b"{}")
    store.write(upload_key("e"), b"")
    listed = follow(load_function("train", store), "/datasets", "datasets")
    assert [dataset["name"] for dataset in listed] == [*names, "e"]
    assert listed[-1] == {"name": "e", "versions": [], "upload": "converting"}


def test_a_store_from_before_there_were_hints_and_indexes_works(
    store: Store, small_npz: Path
) -> None:
    """The next conversion and the next release write the hints and the index."""
    for fill in (put_releases, put_models, put_versions):
        fill(store.write, 12)
    first = versions.find_version(store, "small", "1.0.0")
    newest = versions.find_version(store, "small", "12.0.0")
    for key in (
        "releases/.newest.json",
        "datasets/small/.newest.json",
        f"datasets/small/.uploads/{first.sha256}.json",
    ):
        store.delete(key)
    assert releases.newest_number(store) == 12
    assert versions.latest_version(store, "small") == newest
    assert releases.release(store, model_version(1), "another").number == 13
    assert releases.newest_number(store) == 13
    assert versions.version_of_upload(store, "small", first.sha256) == first
    made = datasets.convert(store, "small", small_npz)
    assert made.version == "13.0.0"
    assert made == versions.latest_version(store, "small")
