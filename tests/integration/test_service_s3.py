"""The service with its store on S3 (moto's server, over HTTP): from an upload to a prediction."""

from pathlib import Path

from digits.datasets import versions
from digits.models import releases
from digits.store import Store
from tests.integration.bad_input import example
from tests.integration.conftest import Service

TINY = {"dataset": "tiny", "architecture": "lab", "epochs": 3, "batch_size": 32}


def test_an_upload_becomes_a_model_that_answers(
    s3_store: Store, tmp_path: Path, tiny_npz: Path
) -> None:
    service = Service(tmp_path, s3_store.url)
    try:
        service.upload("tiny", tiny_npz)
        service.wait(lambda: bool(service.dataset("tiny").get("versions")), 30)
        headers = {"Prefer": "wait=100"}
        answer = service.client.post("/train", json=TINY, headers=headers)
        trained = answer.raise_for_status().json()
        assert trained["status"] == "SUCCEEDED", trained
        version = trained["model_version"]
        service.release(version)

        def answers() -> bool:
            answer = service.predict(example(1), accept="any").raise_for_status()
            return bool(answer.json()["model_version"] == version)

        # No request waits for the store, so the model answers a little later.
        service.wait(answers, 10)
    finally:
        service.stop()
        service.client.close()
    live = releases.live_release(s3_store)
    assert live is not None
    assert live.version == trained["model_version"]
    assert next(versions.complete_versions(s3_store, "tiny")).counts == {
        "train": 2000,
        "test": 300,
    }
