"""The number of S3 requests does not grow with the history in the store."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
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

# S3 lists 1,000 keys per request, so listing all keys takes more requests in the larger
# store.
SIZES = (1, 1100)
# The most rounds of concurrent requests. A page of jobs is 150 documents, which are read
# 50 at a time.
MAX_ROUNDS = {"/train": 5, "/models": 3, "/datasets": 6}
START = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = b"graph"
Put = Callable[[str, bytes], None]
Json = dict[str, Any]


def model_version(number: int) -> str:
    return f"{START + timedelta(seconds=number):%Y%m%dT%H%M%SZ}-00000000"


def index_key(folder: str, created: datetime, item: str) -> str:
    """The key of an entry in the index of a folder, which lists the newest item first."""
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
        put(index_key("models", START + timedelta(seconds=number), version), b"")
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
        put(index_key("jobs", created, job_id), b"")
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
        upload = {"number": number}
        put(f"datasets/small/.uploads/{sha256}.json", json.dumps(upload).encode())
    hint = {"number": count, "object": source}
    put("datasets/small/.newest.json", json.dumps(hint).encode())


@pytest.fixture(params=SIZES)
def filled_store(request: pytest.FixtureRequest, faulty_store: Store) -> Store:
    """A store with N releases, models, jobs and versions of a dataset."""
    prefix = faulty_store.url.removeprefix(f"s3://{BUCKET}/")
    (account,) = s3_backends
    backend = s3_backends[account]["aws"]

    def put(key: str, data: bytes) -> None:
        backend.put_object(BUCKET, f"{prefix}/{key}", data)

    for fill in (put_releases, put_models, put_jobs, put_versions):
        fill(put, request.param)
    return faulty_store


@dataclass(frozen=True)
class Operation:
    """A step of the service, with the most requests in a store of any size."""

    name: str
    max_requests: int
    run: Callable[[], Any]


def store_operations(store: Store, npz: Path) -> list[Operation]:
    newest = releases.newest_number(store)
    version = model_version(1)
    find_live = partial(releases.newest_number, store)
    find_newer = partial(releases.find_newer, store, newest)
    load_live = partial(releases.find_newer, store, None)
    release = partial(releases.release, store, version, "another")
    find_newest = partial(versions.latest_version, store, "small")
    find_first = partial(versions.find_version, store, "small", "1.0.0")
    convert = partial(datasets.convert, store, "small", npz)
    return [
        Operation("find the live release", 2, find_live),
        Operation("look for a newer release", 1, find_newer),
        Operation("load the live release", 4, load_live),
        Operation("release a model", 9, release),
        Operation("find the newest version", 4, find_newest),
        Operation("find a given version", 2, find_first),
        Operation("convert a new upload", 16, convert),
        Operation("convert an upload again", 5, convert),
    ]


def route_operations(store: Store, app: ModuleType) -> list[Operation]:
    page = len(jobs.list_job_ids(store).ids)
    limits = {
        "/train": 2 + 3 * page,
        "/train/job-1": 3,
        "/models": 2 + 2 + page,
        "/datasets": 2 + 2 + 3 + 2 * listing.VERSIONS,
    }
    operations: list[Operation] = []
    for path, limit in limits.items():
        operations.append(Operation(f"GET {path}", limit, partial(send_get, app, path)))
    return operations


def send_get(app: ModuleType, path: str) -> None:
    answer = app.handler(get_event(path), None)
    assert answer["statusCode"] == 200, answer


def get_event(path: str, query: dict[str, str] | None = None) -> Json:
    """The event of a GET request."""
    request: Json = {
        "httpMethod": "GET",
        "path": path,
        "body": None,
        "queryStringParameters": query,
    }
    return sample_event("train") | request


def test_requests_do_not_grow_with_the_history(
    filled_store: Store,
    faults: FaultProxy,
    small_npz: Path,
    load_function: Callable[[str, Store], ModuleType],
) -> None:
    app = load_function("train", filled_store)
    operations = [
        *route_operations(filled_store, app),
        *store_operations(filled_store, small_npz),
    ]
    excesses: list[str] = []
    for operation in operations:
        faults.forget()
        operation.run()
        requests = len(faults.requests())
        limit = operation.max_requests
        if requests > limit:
            excesses.append(f"{operation.name}: {requests} requests, at most {limit}")
    assert excesses == []


@pytest.mark.parametrize("filled_store", SIZES[-1:], indirect=True)
def test_lists_take_few_rounds_of_requests(
    filled_store: Store,
    faults: FaultProxy,
    load_function: Callable[[str, Store], ModuleType],
) -> None:
    """Each request takes half a second, so all requests of a round overlap."""
    app = load_function("train", filled_store)
    faults.add(Fault.LATENCY, seconds=0.5)
    for path, limit in MAX_ROUNDS.items():
        faults.forget()
        app.handler(get_event(path), None)
        assert rounds(faults.requests()) <= limit, path


def rounds(requests: list[Request]) -> int:
    """The length of the longest chain of requests in which no two requests overlap."""
    length = 0
    last_end = 0.0
    for request in sorted(requests, key=attrgetter("ended")):
        if request.started >= last_end:
            length += 1
            last_end = request.ended
    return length


def list_pages(app: ModuleType, path: str, kind: str) -> list[Json]:
    """The items of all pages of a list, in order."""
    items: list[Json] = []
    query: dict[str, str] | None = None
    while True:
        answer = app.handler(get_event(path, query), None)
        page = json.loads(answer["body"])
        items += page[kind]
        if page["next"] is None:
            return items
        query = {"after": page["next"].partition("?after=")[2]}


def test_pages_hold_every_item_once_and_newest_first(
    store: Store, load_function: Callable[[str, Store], ModuleType]
) -> None:
    """Items without an entry in the index come last."""
    put_jobs(store.write, 120)
    put_models(store.write, 120)
    for folder in ("jobs", "models"):
        for entry in store.entries(f"{folder}/.newest")[60:]:
            store.delete(entry.key)
    app = load_function("train", store)
    newest_jobs = [f"job-{number}" for number in range(120, 0, -1)]
    job_ids = [job["job_id"] for job in list_pages(app, "/train", "jobs")]
    assert job_ids[:60] == newest_jobs[:60]
    assert sorted(job_ids) == sorted(newest_jobs)
    newest_models = [model_version(number) for number in range(120, 0, -1)]
    names = [model["version"] for model in list_pages(app, "/models", "models")]
    assert names[:60] == newest_models[:60]
    assert sorted(names) == sorted([*newest_models, "bundled"])


def test_datasets_are_paged_by_name(
    store: Store, load_function: Callable[[str, Store], ModuleType]
) -> None:
    names = [f"d{number:03}" for number in range(listing.PAGE * 2 + 1)]
    for name in names:
        store.write(f"datasets/{name}/problem.json", b"{}")
    store.write(upload_key("e"), b"")
    app = load_function("train", store)
    listed = list_pages(app, "/datasets", "datasets")
    assert [dataset["name"] for dataset in listed] == [*names, "e"]
    assert listed[-1] == {"name": "e", "versions": [], "upload": "converting"}


def test_a_store_without_hints_and_indexes_works(store: Store, small_npz: Path) -> None:
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
    converted = datasets.convert(store, "small", small_npz)
    assert converted.version == "13.0.0"
    assert converted == versions.latest_version(store, "small")
