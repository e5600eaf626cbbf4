"""Converts uploads to datasets: `raw/<name>.npz` to TFRecords at `datasets/<name>/<n>.0.0/`."""

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
    """Entry point: handles "Object Created" of S3, which EventBridge delivers.

    Such events come at least once, late and in any order. So the event only gives the
    key, and the object that is now at the key is converted.

    Returns:
        What became of the upload; `status` is `converted`, `refused`, `gone` or `ignored`.

    Raises:
        StoreError: the store does not answer. Lambda retries the event.
    """
    metrics.add_metric("UploadEvents", MetricUnit.Count, 1)
    key = event["detail"]["object"]["key"]
    name = upload_name(settings.store, key)
    if name is None:
        logger.info("Not an upload", key=key)
        return {"status": "ignored", "key": key}
    return _ingest(name)


def _ingest(name: str) -> dict[str, Any]:
    """Convert the upload of a dataset, if there is one."""
    converted = 0

    def count_converted(done: int, _total: int) -> None:
        nonlocal converted
        converted = done

    try:
        dataset = datasets.ingest(store, name, on_progress=count_converted)
    except UnknownError as error:
        logger.info(error.detail)
        return {"status": "gone", "dataset": name}
    except InvalidDatasetError as error:
        logger.warning("Upload refused", dataset=name, reason=error.detail)
        metrics.add_metric("RefusedUploads", MetricUnit.Count, 1)
        return {"status": "refused", "dataset": name, "reason": error.detail}
    # The metric is 0 if the same upload was converted before.
    metrics.add_metric("ConvertedExamples", MetricUnit.Count, converted)
    logger.info("Dataset ready", dataset=documents.to_json(dataset))
    return {
        "status": "converted",
        "dataset": dataset.name,
        "version": dataset.version,
        "counts": dataset.counts,
    }


def upload_name(store_url: str, key: str) -> str | None:
    """The dataset of an upload; None if the object is not an upload.

    Args:
        store_url: an `s3:` URL may have a path, which then begins the key.
        key: of the object in the bucket, unencoded. Only S3's own notifications encode
            keys.
    """
    url = urlsplit(store_url)
    folder = url.path.strip("/")
    is_in_folder = url.scheme == "s3" and folder
    return dataset_of(key, f"{folder}/" if is_in_folder else "")
