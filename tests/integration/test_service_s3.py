"""The service with its store on S3 (moto's server, over HTTP): the same story as with a folder."""

from pathlib import Path

from digits.datasets import versions
from digits.models import releases
from digits.store import Store
from tests.integration.conftest import ROOT, Service


def test_from_an_upload_to_a_prediction(
    s3_store: Store, tmp_path: Path, tiny_npz: Path
) -> None:
    service = Service(tmp_path, s3_store.url)
    try:
        service.upload("tiny", tiny_npz)
        service.wait(lambda: bool(service.dataset("tiny").get("versions")), 30)
        wanted = {
            "dataset": "tiny",
            "architecture": "lab",
            "epochs": 3,
            "batch_size": 32,
        }
        answer = service.client.post(
            "/train", json=wanted, headers={"Prefer": "wait=100"}
        )
        trained = answer.raise_for_status().json()
        assert trained["status"] == "SUCCEEDED", trained
        release = service.client.post(
            f"/models/{trained['model_version']}/release", json={"reason": "try"}
        )
        release.raise_for_status()
        png = (ROOT / "example" / "1.png").read_bytes()

        def answers_with() -> str:
            asked = service.client.post(
                "/predict?accept=any",
                content=png,
                headers={"Content-Type": "image/png"},
            )
            return str(asked.raise_for_status().json()["model_version"])

        # Soon: no request waits for the store.
        service.wait(lambda: answers_with() == trained["model_version"], 10)
    finally:
        service.stop()
        service.client.close()
    live = releases.live(s3_store)
    assert live is not None
    assert live.version == trained["model_version"]
    assert next(versions.complete(s3_store, "tiny")).counts == {
        "train": 2000,
        "test": 300,
    }
