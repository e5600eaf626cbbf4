"""What EventBridge tells the functions, in its own format."""

import logging
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from digits.errors import DigitsError
from digits.store import Entry
from local.environments import Pool
from local.jobs import Job

_ACCOUNT, _REGION = "123456789012", "us-east-1"
# What a folder is called where S3 would name a bucket.
_FOLDER_BUCKET = "local"

logger = logging.getLogger(__name__)


def object_created(store_url: str, entry: Entry) -> dict[str, Any]:
    """Amazon S3's "Object Created" for an object of the store."""
    url = urlsplit(store_url)
    bucket, prefix = (url.netloc, url.path.strip("/")) if url.scheme == "s3" else (_FOLDER_BUCKET, "")
    detail = {
        "version": "0",
        "bucket": {"name": bucket},
        "object": {"key": f"{prefix}/{entry.key}".lstrip("/"), "size": entry.size, "etag": entry.etag.strip('"')},
        "reason": "PutObject",
    }
    return _envelope("aws.s3", "Object Created", f"arn:aws:s3:::{bucket}", detail)


def job_state_change(job: Job) -> dict[str, Any]:
    """AWS Batch's "Batch Job State Change" for a job as it is now."""
    return _envelope("aws.batch", "Batch Job State Change", job.job_arn, job.to_json())


def _envelope(source: str, detail_type: str, resource: str, detail: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": _ACCOUNT,
        "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": _REGION,
        "resources": [resource],
        "detail": detail,
    }


async def deliver(pool: Pool, event: dict[str, Any]) -> None:
    """Have a function handle an event. A failure is logged: whoever sent the event cannot mend it."""
    try:
        await pool.invoke(event)
    except DigitsError as error:
        logger.warning("%s was not handled: %s", event["detail-type"], error.detail)
