"""What EventBridge tells the functions, in its own format."""

import asyncio
import logging
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from digits.errors import DigitsError
from digits.store import Entry
from local.aws_batch.job_queue import Job
from local.aws_lambda.pool import Pool
from local.backoff import exponential_delay

_ACCOUNT, _REGION = "123456789012", "us-east-1"
# What a folder is called where S3 would name a bucket.
_FOLDER_BUCKET = "local"
# Within two minutes. EventBridge and Lambda go on for longer, but the train function
# also asks Batch itself.
MAX_TRIES = 6
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 60.0

logger = logging.getLogger(__name__)


def object_created(store_url: str, entry: Entry) -> dict[str, Any]:
    """Amazon S3's "Object Created" for an object of the store."""
    url = urlsplit(store_url)
    bucket, prefix = (
        (url.netloc, url.path.strip("/"))
        if url.scheme == "s3"
        else (_FOLDER_BUCKET, "")
    )
    detail = {
        "version": "0",
        "bucket": {"name": bucket},
        "object": {
            "key": f"{prefix}/{entry.key}".lstrip("/"),
            "size": entry.size,
            "etag": entry.etag.strip('"'),
        },
        "reason": "PutObject",
    }
    return _envelope("aws.s3", "Object Created", f"arn:aws:s3:::{bucket}", detail)


def job_state_change(job: Job) -> dict[str, Any]:
    """AWS Batch's "Batch Job State Change" for a job as it is now."""
    return _envelope("aws.batch", "Batch Job State Change", job.job_arn, job.to_json())


def _envelope(
    source: str, detail_type: str, resource: str, detail: dict[str, Any]
) -> dict[str, Any]:
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


async def invoke(pool: Pool, event: dict[str, Any]) -> bool:
    """Have a function handle an event. A failure is logged: whoever sent the event cannot mend it.

    Returns:
        Whether the event was handled.
    """
    try:
        await pool.invoke(event)
    except DigitsError as error:
        logger.warning("%s was not handled: %s", event["detail-type"], error.detail)
        return False
    return True


class Deliveries:
    """Asynchronous invocations of a function, as Lambda's: in order, and tried again while they are not handled.

    Args:
        pool: of the function.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._turn = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()

    def send(self, event: dict[str, Any]) -> None:
        """Have the function handle an event, without waiting for it."""
        delivery = asyncio.create_task(self._deliver(event))
        self._under_way.add(delivery)
        delivery.add_done_callback(self._under_way.discard)

    def close(self) -> None:
        """Give up what is under way."""
        for delivery in self._under_way:
            delivery.cancel()

    async def _deliver(self, event: dict[str, Any]) -> None:
        async with self._turn:
            handled = await invoke(self._pool, event)
        for failures in range(1, MAX_TRIES):
            if handled:
                return
            await asyncio.sleep(
                exponential_delay(failures, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
            )
            handled = await invoke(self._pool, event)
        if not handled:
            logger.error(
                "%s was given up after %d tries.", event["detail-type"], MAX_TRIES
            )
