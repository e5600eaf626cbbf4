"""Uploads become datasets: S3 tells of `raw/<name>.npz`, and its TFRecords are written to `datasets/<name>/`."""

from typing import Any
from urllib.parse import urlsplit

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from digits import datasets, documents
from digits.datasets.uploads import dataset_of
from digits.errors import InvalidDatasetError, UnknownError
from digits.settings import Settings
from digits.store import Store

logger = Logger()
metrics = Metrics()

settings = Settings.from_environment()
store = Store(settings.store)


@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Entry point: S3's "Object Created", by way of EventBridge.

    Such events come at least once, late and in any order. So one only says where to
    look: what lies there now counts.

    Returns:
        What became of the upload; `status` is `converted`, `refused`, `gone` or `ignored`.

    Raises:
        StoreError: the store does not answer. Lambda tries again.
    """
    metrics.add_metric("UploadEvents", MetricUnit.Count, 1)
    key = event["detail"]["object"]["key"]
    name = upload_name(settings.store, key)
    if name is None:
        logger.info("Not an upload", key=key)
        return {"status": "ignored", "key": key}
    converted = [0]
    try:
        dataset = datasets.ingest(
            store, name, on_progress=lambda done, _total: converted.append(done)
        )
    except UnknownError as error:
        logger.info(error.detail)
        return {"status": "gone", "dataset": name}
    except InvalidDatasetError as error:
        logger.warning("Upload refused", dataset=name, reason=error.detail)
        metrics.add_metric("RefusedUploads", MetricUnit.Count, 1)
        return {"status": "refused", "dataset": name, "reason": error.detail}
    # 0 when the same upload was converted before.
    metrics.add_metric("ConvertedExamples", MetricUnit.Count, converted[-1])
    logger.info("Dataset ready", dataset=documents.to_json(dataset))
    return {
        "status": "converted",
        "dataset": dataset.name,
        "version": dataset.version,
        "counts": dataset.counts,
    }


def upload_name(store_url: str, key: str) -> str | None:
    """The dataset that an object is an upload of: a bucket's keys carry the store's prefix, `<prefix>/raw/<name>.npz`.

    Keys come from EventBridge as they are; only S3's own notifications encode them.
    """
    url = urlsplit(store_url)
    folder = url.path.strip("/")
    is_in_folder = url.scheme == "s3" and folder
    return dataset_of(key, f"{folder}/" if is_in_folder else "")
