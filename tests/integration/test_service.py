"""The service over HTTP without a training: predictions, and every kind of bad input."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.integration.answers import assert_problem
from tests.integration.bad_input import (
    BAD_IMAGES,
    BAD_UPLOADS,
    blank,
    example,
    scene,
    scribble,
    to_bytes,
)
from tests.integration.conftest import Service


def eight() -> Image.Image:
    return Image.open(ROOT / "example" / "8.png").resize((280, 280))


def pixels_of_eight() -> Any:
    return np.asarray(eight())


def palette_with_transparency() -> bytes:
    buffer = io.BytesIO()
    eight().convert("P").save(buffer, "PNG", transparency=0)
    return buffer.getvalue()


def animation() -> bytes:
    buffer = io.BytesIO()
    second = Image.new("L", eight().size)
    eight().save(buffer, "PNG", save_all=True, append_images=[second])
    return buffer.getvalue()


def ink_on_transparency() -> bytes:
    black = Image.new("L", eight().size, 0)
    return to_bytes(Image.merge("LA", [black, eight()]))


KINDS_OF_PNG = [
    pytest.param(
        lambda: to_bytes(Image.fromarray(pixels_of_eight().astype(np.uint16) * 257)),
        id="sixteen-bits",
    ),
    pytest.param(
        lambda: to_bytes(Image.fromarray(255 - pixels_of_eight())),
        id="black-on-white",
    ),
    pytest.param(lambda: to_bytes(Image.merge("RGB", [eight()] * 3)), id="colour"),
    pytest.param(ink_on_transparency, id="ink-on-transparency"),
    pytest.param(palette_with_transparency, id="palette-with-transparency"),
    pytest.param(animation, id="animation"),
]


@pytest.mark.parametrize("digit", range(10))
def test_the_examples_are_read(service: Service, digit: int) -> None:
    answer = service.predict(example(digit))
    body = answer.raise_for_status().json()
    assert body["prediction"] == digit
    assert body["confidence"] == max(body["probabilities"])
    assert body["accepted"]
    assert sum(body["probabilities"]) == pytest.approx(1)
    assert "decode;dur=" in answer.headers["server-timing"]
    assert "infer;dur=" in answer.headers["server-timing"]


@pytest.mark.parametrize("make", KINDS_OF_PNG)
def test_every_kind_of_png_is_read(service: Service, make: Callable[[], bytes]) -> None:
    answer = service.predict(make())
    assert answer.raise_for_status().json()["prediction"] == 8


@pytest.mark.parametrize(("make", "status"), BAD_IMAGES)
def test_a_bad_image_is_a_problem_of_the_request(
    service: Service, make: Callable[[], bytes], status: int
) -> None:
    assert_problem(service.predict(make()), status)


def test_a_scribble_scores_below_the_threshold(service: Service) -> None:
    problem = assert_problem(service.predict(scribble()), 422)
    assert problem["score"] < problem["threshold"]


@pytest.mark.parametrize("make", [scene, scribble])
def test_a_non_digit_is_refused(service: Service, make: Callable[[], bytes]) -> None:
    problem = assert_problem(service.predict(make()), 422)
    assert problem["type"] == "urn:digits:not-a-digit"
    assert "?accept=any" in problem["detail"]


@pytest.mark.parametrize("make", [scene, scribble])
def test_accept_any_answers_with_the_best_guess_and_accepted_false(
    service: Service, make: Callable[[], bytes]
) -> None:
    body = service.predict(make(), accept="any").raise_for_status().json()
    assert body["prediction"] in range(10)
    assert not body["accepted"]
    assert body["score"] == service.predict(make()).json()["score"]


def test_accept_any_is_no_help_for_a_blank_image(service: Service) -> None:
    assert_problem(service.predict(blank(28), accept="any"), 422)


def test_another_value_of_accept_is_refused(service: Service) -> None:
    assert_problem(service.predict(example(8), accept="all"), 422)


@pytest.mark.parametrize("media_type", ["text/plain", "image/jpeg", "application/json"])
def test_other_media_types_are_refused(service: Service, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    answer = service.client.post("/predict", content=example(8), headers=headers)
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
    answer = service.client.request(method, path, content=body, headers=headers)
    assert_problem(answer, status)


@pytest.mark.parametrize("path", ["/train", "/datasets", "/models/bundled/release"])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"data": {"epochs": "1"}}, id="form"),
        pytest.param({"files": {"file": b"x"}}, id="multipart"),
    ],
)
def test_a_form_is_not_json(service: Service, path: str, body: dict[str, Any]) -> None:
    problem = assert_problem(service.client.post(path, **body), 415)
    assert "application/json" in problem["detail"]


@pytest.mark.parametrize(("name", "make"), BAD_UPLOADS)
def test_a_refused_upload_has_a_problem(
    service: Service, tmp_path: Path, name: str, make: Callable[[], bytes]
) -> None:
    npz = tmp_path / "upload.npz"
    npz.write_bytes(make())
    service.upload(name, npz)
    service.wait(lambda: "problem" in service.dataset(name), 30)
    dataset = service.dataset(name)
    problem = dataset["problem"]
    assert isinstance(problem, dict)
    assert (problem["type"], problem["status"]) == ("urn:digits:invalid-dataset", 422)
    assert not dataset["versions"]
    assert "upload" not in dataset
    assert_problem(service.client.post("/train", json={"dataset": name}), 422)


def test_the_page_is_served(service: Service) -> None:
    page = service.client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_the_description_of_the_api_is_served(service: Service) -> None:
    assert "SwaggerUIBundle" in service.client.get("/docs").text
    paths = service.client.get("/openapi.json").json()["paths"]
    assert set(paths) == {
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
    assert "image/png" in paths["/predict"]["post"]["requestBody"]["content"]


def test_no_error_was_unhandled(service: Service) -> None:
    assert service.unhandled_errors() == []
    health = service.client.get("/health")
    assert health.status_code == httpx.codes.OK
    assert json.loads(health.text)["status"] == "ok"
