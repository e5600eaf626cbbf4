"""The service as its users meet it, over HTTP: predict, upload, train, release, and every kind of bad input."""

import io
import json
import re
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw

from digits.jobs import Phase
from digits.store import Store
from tests.integration.conftest import Service

EXAMPLES = Path(__file__).parents[2] / "example"
PNG = {"Content-Type": "image/png"}
# Shorter than any real training, so that one can be caught running.
TINY = {"dataset": "tiny", "architecture": "lab", "epochs": 3, "batch_size": 32}


def example(digit: int) -> bytes:
    return (EXAMPLES / f"{digit}.png").read_bytes()


def wait_until_it_answers(service: Service, version: str) -> None:
    """See this model answer soon. A request waits 50 ms for the look for a release, and a busy machine takes longer."""
    service.wait(
        lambda: (
            predict(service, example(8), accept="any").json()["model_version"]
            == version
        ),
        10,
    )


def predict(service: Service, png: bytes, **query: str) -> httpx.Response:
    return service.client.post("/predict", content=png, headers=PNG, params=query)


def assert_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["type"]
    assert problem["title"]
    assert problem["detail"]
    return problem


@pytest.fixture(scope="module")
def trained(service: Service, tiny_npz: Path) -> dict[str, Any]:
    """The answer to a training that was waited for, whose model a person then released."""
    service.upload("tiny", tiny_npz)
    service.wait(lambda: bool(service.dataset("tiny").get("versions")), 30)
    answer = service.client.post("/train", json=TINY, headers={"Prefer": "wait=100"})
    assert answer.status_code == httpx.codes.OK, answer.text
    state: dict[str, Any] = answer.json()
    service.client.post(
        f"/models/{state['model_version']}/release", json={"reason": "try"}
    ).raise_for_status()
    return state


@pytest.mark.parametrize("digit", range(10))
def test_the_examples_are_read(service: Service, digit: int) -> None:
    answer = predict(service, example(digit))
    body = answer.raise_for_status().json()
    assert body["prediction"] == digit
    assert body["confidence"] == max(body["probabilities"])
    assert body["accepted"]
    assert sum(body["probabilities"]) == pytest.approx(1)
    assert "decode;dur=" in answer.headers["server-timing"]
    assert "infer;dur=" in answer.headers["server-timing"]


def test_other_kinds_of_png_are_read_too(service: Service) -> None:
    eight = Image.open(EXAMPLES / "8.png").resize((280, 280))
    grey = np.asarray(eight)
    palette = eight.convert("P")
    variants = {
        "sixteen bits": Image.fromarray(grey.astype(np.uint16) * 257),
        "black on white": Image.fromarray(255 - grey),
        "colour": Image.merge("RGB", [eight] * 3),
        "ink on transparency": Image.merge(
            "LA", [Image.new("L", eight.size, 0), eight]
        ),
        "palette with transparency": palette,
    }
    for name, image in variants.items():
        buffer = io.BytesIO()
        image.save(buffer, "PNG", **({"transparency": 0} if image is palette else {}))
        assert (
            predict(service, buffer.getvalue()).raise_for_status().json()["prediction"]
            == 8
        ), name
    buffer = io.BytesIO()
    eight.save(buffer, "PNG", save_all=True, append_images=[Image.new("L", eight.size)])
    assert (
        predict(service, buffer.getvalue()).raise_for_status().json()["prediction"] == 8
    ), "APNG"


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (28, 28), 255).save(buffer, "JPEG")
    return buffer.getvalue()


def wrong_crc() -> bytes:
    png = bytearray(example(8))
    png[29] ^= 1  # the last chunk byte of IHDR's checksum begins here
    return bytes(png)


def header_only(width: int, height: int) -> bytes:
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + ihdr
        + struct.pack(">I", zlib.crc32(ihdr))
    )


def blank(side: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (side, side), 255).save(buffer, "PNG")
    return buffer.getvalue()


BAD_IMAGES = [
    pytest.param(lambda: b"", 400, id="empty"),
    pytest.param(lambda: b"eight", 400, id="text"),
    pytest.param(jpeg, 400, id="jpeg"),
    pytest.param(lambda: example(8)[:100], 400, id="truncated"),
    pytest.param(wrong_crc, 400, id="wrong-crc"),
    pytest.param(lambda: blank(1), 422, id="one-pixel"),
    pytest.param(lambda: blank(28), 422, id="blank"),
    pytest.param(lambda: header_only(20000, 20000), 413, id="20000x20000"),
    pytest.param(lambda: example(8) + bytes(2 << 20), 413, id="2-MB"),
]


@pytest.mark.parametrize(("make", "status"), BAD_IMAGES)
def test_bad_images_are_the_callers_to_mend(
    service: Service, make: Callable[[], bytes], status: int
) -> None:
    assert_problem(predict(service, make()), status)


def scene() -> bytes:
    """Shapes before each other, of all sizes."""
    buffer = io.BytesIO()
    image = Image.new("L", (200, 200), 90)
    rng = np.random.default_rng(1)
    for size in np.geomspace(120, 10, 40):
        x, y = rng.uniform(-20, 200, 2)
        ImageDraw.Draw(image).ellipse(
            (x, y, x + size, y + size / 2), fill=int(rng.integers(256))
        )
    image.save(buffer, "PNG")
    return buffer.getvalue()


def scribble() -> bytes:
    """Ink on paper, but no digit."""
    buffer = io.BytesIO()
    image = Image.new("L", (200, 200), 255)
    for places in (
        (20, 20, 180, 180),
        (20, 180, 180, 20),
        (100, 20, 100, 180),
        (20, 100, 180, 100),
    ):
        ImageDraw.Draw(image).line(places, width=8)
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(("make", "is_low"), [(scene, False), (scribble, True)])
def test_what_is_no_digit_is_said_to_be_none(
    service: Service,
    make: Callable[[], bytes],
    is_low: bool,  # noqa: FBT001
) -> None:
    problem = assert_problem(predict(service, make()), 422)
    assert problem["type"] == "urn:digits:not-a-digit"
    assert problem["score"] < problem["threshold"] or not is_low
    assert "?accept=any" in problem["detail"]


@pytest.mark.parametrize("make", [scene, scribble])
def test_the_best_guess_is_told_when_asked_for_and_marked(
    service: Service, make: Callable[[], bytes]
) -> None:
    body = predict(service, make(), accept="any").raise_for_status().json()
    assert body["prediction"] in range(10)
    assert not body["accepted"]
    assert body["score"] == assert_problem(predict(service, make()), 422)["score"]
    assert_problem(predict(service, blank(28), accept="any"), 422)
    assert_problem(predict(service, example(8), accept="all"), 422)


@pytest.mark.parametrize("media_type", ["text/plain", "image/jpeg", "application/json"])
def test_another_media_type_is_refused(service: Service, media_type: str) -> None:
    answer = service.client.post(
        "/predict", content=example(8), headers={"Content-Type": media_type}
    )
    assert answer.status_code in (400, 415)
    assert_problem(answer, answer.status_code)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nowhere", None, 404),
        ("GET", "/predict", None, 405),
        ("PUT", "/train", None, 405),
        ("POST", "/train", "{", 400),
        ("POST", "/train", "[]", 422),
        pytest.param("POST", "/train", "[" * 100_000, 400, id="nested-too-deeply"),
        pytest.param(
            "POST", "/train", '{"seed": ' + "1" * 5000 + "}", 400, id="integer-too-long"
        ),
        ("POST", "/train", "null", 422),
        ("POST", "/train", "0", 422),
        ("POST", "/train", '{"seed": NaN}', 422),
        ("POST", "/train", '{"epochs": -1}', 422),
        ("POST", "/train", '{"dataset": "nothing_uploaded"}', 404),
        ("POST", "/datasets", '{"name": "../etc"}', 422),
        ("GET", "/train/no-such-job", None, 404),
        ("DELETE", "/train/no-such-job", None, 404),
        ("GET", "/train/..%2F..%2Freleases", None, 404),
        ("GET", "/models/no-such-model", None, 404),
        ("GET", "/models/no-such-model/report", None, 404),
        ("POST", "/models/no-such-model/release", '{"reason": "try"}', 404),
        ("POST", "/models/no-such-model/release", "{}", 422),
        ("GET", "/models/bundled/report", None, 404),
        ("GET", "/train?after=../x", None, 422),
        ("GET", "/models?after=" + "x" * 200, None, 422),
    ],
)
def test_bad_requests_are_problems(
    service: Service, method: str, path: str, body: str | None, status: int
) -> None:
    headers = {"Content-Type": "application/json"} if body else {}
    assert_problem(
        service.client.request(method, path, content=body, headers=headers), status
    )


@pytest.mark.parametrize("path", ["/train", "/datasets", "/models/bundled/release"])
@pytest.mark.parametrize(
    "body",
    [{"data": {"epochs": "1"}}, {"files": {"file": b"x"}}],
    ids=["form", "multipart"],
)
def test_a_form_is_not_json(service: Service, path: str, body: dict[str, Any]) -> None:
    problem = assert_problem(service.client.post(path, **body), 415)
    assert "application/json" in problem["detail"]


def npz_bytes(**members: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **members)
    return buffer.getvalue()


def arrays(count: int = 8, side: int = 28, top_label: int = 9) -> dict[str, Any]:
    labels = np.linspace(0, top_label, count).astype(np.uint8)
    images = np.zeros((count, side, side), np.uint8)
    return {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}


def zip_bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(f"{name}.npy", bytes(50 << 20))
    return buffer.getvalue()


BAD_UPLOADS = [
    ("pickled", lambda: npz_bytes(**arrays() | {"y_test": np.array([{}] * 8, object)})),
    ("odd_size", lambda: npz_bytes(**arrays(side=27))),
    ("twelve_labels", lambda: npz_bytes(**arrays(count=12, top_label=11))),
    ("mismatched", lambda: npz_bytes(**arrays() | {"y_train": np.zeros(7, np.uint8)})),
    ("bomb", zip_bomb),
    ("not_a_zip", lambda: b"not a zip"),
]


@pytest.mark.parametrize(("name", "make"), BAD_UPLOADS)
def test_a_bad_upload_is_refused_and_says_why(
    service: Service, tmp_path: Path, name: str, make: Any
) -> None:
    npz = tmp_path / "upload.npz"
    npz.write_bytes(make())
    service.upload(name, npz)
    service.wait(lambda: "problem" in service.dataset(name), 30)
    problem = service.dataset(name)["problem"]
    assert isinstance(problem, dict)
    assert (problem["type"], problem["status"]) == ("urn:digits:invalid-dataset", 422)
    assert not service.dataset(name)["versions"]
    assert "upload" not in service.dataset(name)
    assert_problem(service.client.post("/train", json={"dataset": name}), 422)


def test_a_training_that_was_waited_for(
    service: Service, trained: dict[str, Any]
) -> None:
    assert trained["status"] == "SUCCEEDED", trained
    assert 0 < trained["accuracy"] <= 1
    assert not trained["released"]
    assert "it reads fewer digits right than the live model" in trained["reason"]
    wait_until_it_answers(service, trained["model_version"])
    listed = service.client.get("/models").json()
    assert listed["live"] == trained["model_version"]
    assert listed["models"][-1]["version"] == "bundled"
    assert listed["models"][-1] == service.client.get("/models/bundled").json()
    manifest = service.client.get(f"/models/{trained['model_version']}").json()
    assert manifest["dataset"] == "tiny"
    assert manifest["metrics"]["accuracy"] == trained["accuracy"]


def test_a_training_writes_a_report(service: Service, trained: dict[str, Any]) -> None:
    report = service.client.get(
        f"/models/{trained['model_version']}/report"
    ).raise_for_status()
    assert report.headers["content-type"] == "text/html; charset=utf-8"
    assert trained["model_version"] in report.text
    links = re.findall(r"""(?:src|href)=["']?([^"'\s>]{1,20})""", report.text)
    assert {link.partition(":")[0] for link in links} == {"data"}


def test_a_damaged_model_is_listed_with_what_is_wrong(
    service: Service, trained: dict[str, Any]
) -> None:
    Store(service.store_url).write(
        "models/20200101T000000Z-00000000/manifest.json", b'{"schema_version": 0}'
    )
    listed = {
        model["version"]: model
        for model in service.client.get("/models").raise_for_status().json()["models"]
    }
    assert "schema version 0" in listed["20200101T000000Z-00000000"]["problem"]
    assert (
        listed[trained["model_version"]]["metrics"]["accuracy"] == trained["accuracy"]
    )


@pytest.mark.long
def test_a_training_that_is_followed_and_a_rollback(
    service: Service, trained: dict[str, Any]
) -> None:
    answer = service.client.post(
        "/train", json=TINY, headers={"Idempotency-Key": "follow"}
    )
    assert answer.status_code == httpx.codes.ACCEPTED
    again = service.client.post(
        "/train", json=TINY, headers={"Idempotency-Key": "follow"}
    )
    assert again.json()["job_id"] == answer.json()["job_id"]
    words: list[str] = []
    progress: list[dict[str, Any]] = []
    deadline = time.monotonic() + 100
    while not words or words[-1] not in ("SUCCEEDED", "FAILED"):
        assert time.monotonic() < deadline
        state = service.client.get(answer.headers["location"]).raise_for_status().json()
        words.append(state["status"])
        progress.append(state["progress"])
        time.sleep(0.1)
    assert list(dict.fromkeys(words))[-2:] == ["RUNNING", "SUCCEEDED"], words
    phases = list(dict.fromkeys(it["phase"] for it in progress if it))
    assert [phase for phase in get_args(Phase) if phase in phases] == phases
    assert {"fitting", "evaluating"} <= set(phases)
    assert state["released"]  # It is as good as the live one, which was trained alike.
    wait_until_it_answers(service, state["model_version"])

    back = service.client.post(
        f"/models/{trained['model_version']}/release", json={"reason": "roll back"}
    )
    assert back.status_code == httpx.codes.CREATED
    wait_until_it_answers(service, trained["model_version"])


def test_the_bundled_model_can_be_gone_back_to(
    service: Service, trained: dict[str, Any]
) -> None:
    back = service.client.post("/models/bundled/release", json={"reason": "roll back"})
    assert back.status_code == httpx.codes.CREATED
    assert service.client.get("/models").json()["live"] == "bundled"
    bundled = service.client.get("/models/bundled").json()["model_version"]
    wait_until_it_answers(service, bundled)
    version = trained["model_version"]
    service.client.post(
        f"/models/{version}/release", json={"reason": "again"}
    ).raise_for_status()


def test_bad_documents_harm_only_themselves(
    service: Service, trained: dict[str, Any]
) -> None:
    """Each list and each page of one thing, with every kind of record damaged beside it."""
    store = Store(service.store_url)
    good = json.loads(store.read(f"jobs/{trained['job_id']}/request.json"))
    requests = {
        "nested": b"[" * 100_000,
        "no-zone": good | {"job_id": "no-zone", "created": "2026-01-31T00:00:00"},
        "no-parameters": good | {"job_id": "no-parameters", "parameters": None},
        "newer": good | {"job_id": "newer", "added": 1, "parameters": {"renamed": 1}},
    }
    for job_id, document in requests.items():
        store.write(f"jobs/{job_id}/request.json", to_bytes(document))
    store.write(
        "jobs/newer/result.json",
        b'{"status": "FAILED", "reason": "", "finished": "2026-01-31T00:00:00Z"}',
    )
    store.write("jobs/half/request.json", to_bytes(good | {"job_id": "half"}))
    store.write("jobs/half/result.json", b"")
    store.write(
        "datasets/tiny/1.0.0/source.json", store.read("datasets/tiny/1.0.0/source.json")
    )
    store.write("datasets/broken/1.0.0/source.json", b"{}")
    store.write("datasets/broken/1.0.0/dataset_info.json", b"{}")
    store.write("datasets/refused/problem.json", b"{}")

    listed = {
        job["job_id"]: job
        for job in service.client.get("/train").raise_for_status().json()["jobs"]
    }
    assert listed[trained["job_id"]]["status"] == "SUCCEEDED"
    assert listed["newer"]["parameters"] == {"renamed": 1}
    assert {job_id for job_id, job in listed.items() if "problem" in job} == {
        *requests,
        "half",
    } - {"newer"}
    assert "time zone" in listed["no-zone"]["problem"]
    assert_problem(service.client.get("/train/no-zone"), 503)
    assert service.client.get("/train/newer").json()["status"] == "FAILED"

    datasets = service.client.get("/datasets").raise_for_status().json()["datasets"]
    found = {dataset["name"]: dataset for dataset in datasets}
    assert found["tiny"]["versions"] == [
        {"version": "1.0.0", "counts": {"train": 2000, "test": 300}}
    ]
    assert "'sha256' is missing" in found["broken"]["versions"][0]["problem"]
    assert "'type' is missing" in found["refused"]["problem"]["detail"]
    for name in ("broken", "refused"):
        for entry in store.entries(f"datasets/{name}"):
            store.delete(entry.key)


def to_bytes(document: Any) -> bytes:
    return document if isinstance(document, bytes) else json.dumps(document).encode()


@pytest.mark.long
def test_a_worse_model_is_not_released_but_by_hand(
    service: Service, trained: dict[str, Any]
) -> None:
    before = service.client.get("/models").json()["live"]
    answer = service.client.post(
        "/train", json=TINY | {"learning_rate": 1e-6}, headers={"Prefer": "wait=100"}
    )
    state = answer.raise_for_status().json()
    assert (state["status"], state["released"]) == ("SUCCEEDED", False)
    assert "it does not read the examples of 0" in state["reason"]
    assert "it reads fewer digits right than the live model" in state["reason"]
    assert (
        service.client.get("/models").json()["live"] == before != state["model_version"]
    )
    for version in (state["model_version"], trained["model_version"]):
        service.client.post(
            f"/models/{version}/release", json={"reason": "try"}
        ).raise_for_status()
        wait_until_it_answers(service, version)


def test_a_cancelled_training_is_failed_and_not_released(
    service: Service, trained: dict[str, Any]
) -> None:
    before = service.client.get("/health").json()["release"]
    job = service.client.post("/train", json=TINY | {"epochs": 200}).json()
    cancelled = (
        service.client.delete(f"/train/{job['job_id']}").raise_for_status().json()
    )
    assert cancelled["status"] == "FAILED"
    assert "Cancelled" in cancelled["reason"]
    assert service.client.get("/health").json()["release"] == before
    assert trained["model_version"] in service.client.get("/models").text


def test_the_page_and_the_description_are_served(service: Service) -> None:
    page = service.client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "SwaggerUIBundle" in service.client.get("/docs").text
    document = service.client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/predict",
        "/health",
        "/train",
        "/train/{job_id}",
        "/models",
        "/models/{version}",
        "/models/{version}/report",
        "/models/{version}/release",
        "/datasets",
    }
    assert (
        "image/png" in document["paths"]["/predict"]["post"]["requestBody"]["content"]
    )


def test_nothing_was_logged_as_an_unhandled_error(service: Service) -> None:
    faults = [
        line
        for line in service.log.read_text().splitlines()
        if "Unhandled" in line or "Traceback" in line
    ]
    assert faults == []
    assert json.loads(service.client.get("/health").text)["status"] == "ok"
