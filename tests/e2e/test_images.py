"""The container images of the stack."""

import json

import pytest

from cloud import shell, training_image

BASE = "python:3.11-slim-bookworm"
PREDICT = "predict:latest"
# A cold start fetches the image first.
PREDICT_MAX_BYTES = 120e6

pytestmark = pytest.mark.usefixtures("images")


def size(image: str) -> int:
    layers = shell.output(
        "docker", "history", "--human=false", "--format", "{{.Size}}", image
    )
    return sum(map(int, layers.split()))


def test_the_predict_image_adds_little_to_its_base() -> None:
    assert size(PREDICT) - size(BASE) <= PREDICT_MAX_BYTES


@pytest.mark.parametrize("image", [PREDICT, training_image.NAME])
def test_nothing_runs_as_root(image: str) -> None:
    (about,) = json.loads(shell.output("docker", "image", "inspect", image))
    assert about["Config"]["User"] == "65534:65534"
