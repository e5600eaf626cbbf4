"""The service in its containers, as its users meet it."""

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx

from tests.e2e.aws import Aws
from tests.e2e.sam import Sam

# The longest training takes 30 s on two idle cores.
PATIENCE_SECONDS = 180
Answer = TypeVar("Answer")


class Cloud:
    """The API, and what stands behind it."""

    def __init__(self, api: httpx.Client, aws: Aws, sam: Sam) -> None:
        self.api = api
        self.aws = aws
        self.sam = sam

    def upload(self, name: str, npz: bytes) -> Any:
        """Upload a dataset, and let the event arrive that S3 would send. Returns what became of it."""
        answer = (
            self.api.post("/datasets", json={"name": name}).raise_for_status().json()
        )
        # This name of the host is known to containers only. The URL is signed for it,
        # but moto checks no signature.
        url = answer["upload_url"].replace(self.aws.endpoint, self.aws.url)
        httpx.put(url, content=npz).raise_for_status()
        return self.sam.invoke("Convert", self.aws.upload_event(f"raw/{name}.npz"))

    def predict(self, png: bytes, media_type: str = "image/png") -> httpx.Response:
        return self.api.post(
            "/predict", content=png, headers={"Content-Type": media_type}
        )

    def train(self, **parameters: Any) -> str:
        """Start a training. Returns its id."""
        answer = self.api.post("/train", json=parameters)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        return str(answer.json()["job_id"])

    def state(self, job_id: str) -> dict[str, Any]:
        state: dict[str, Any] = (
            self.api.get(f"/train/{job_id}").raise_for_status().json()
        )
        return state

    def follow(self, job_id: str) -> Iterator[dict[str, Any]]:
        """Each state that a training is seen in; the last one is its end."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            state = self.state(job_id)
            yield state
            if state["status"] in ("SUCCEEDED", "FAILED"):
                return
            time.sleep(0.2)


def eventually(ask: Callable[[], Answer]) -> Answer:
    """The first answer that says yes."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := ask()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return answer
