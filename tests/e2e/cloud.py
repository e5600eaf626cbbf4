"""A user of the service, which runs in its containers."""

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
    """The API, the stack behind the API, and sam, which runs the functions."""

    def __init__(self, api: httpx.Client, aws: Aws, sam: Sam) -> None:
        self.api = api
        self.aws = aws
        self.sam = sam

    def upload(self, name: str, npz: bytes) -> Any:
        """Upload a dataset, send the event that S3 would send, and return the function's answer."""
        answer = self.api.post("/datasets", json={"name": name}).raise_for_status()
        # Only containers know the host of the signed URL, and moto checks no signature.
        upload_url: str = answer.json()["upload_url"]
        url = upload_url.replace(self.aws.endpoint, self.aws.url)
        httpx.put(url, content=npz).raise_for_status()
        return self.sam.invoke("Convert", self.aws.upload_event(f"raw/{name}.npz"))

    def predict(self, png: bytes, media_type: str = "image/png") -> httpx.Response:
        headers = {"Content-Type": media_type}
        return self.api.post("/predict", content=png, headers=headers)

    def train(self, **parameters: Any) -> str:
        """Start a training. Returns its id."""
        answer = self.api.post("/train", json=parameters)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        return str(answer.json()["job_id"])

    def state(self, job_id: str) -> dict[str, Any]:
        answer = self.api.get(f"/train/{job_id}").raise_for_status()
        return dict(answer.json())

    def follow(self, job_id: str) -> Iterator[dict[str, Any]]:
        """The states of a training, until the training is over."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            state = self.state(job_id)
            yield state
            if state["status"] in ("SUCCEEDED", "FAILED"):
                return
            time.sleep(0.2)


def eventually(ask: Callable[[], Answer]) -> Answer:
    """The first answer that is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := ask()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return answer
