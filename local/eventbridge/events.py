"""Events in the format of EventBridge, and their delivery to functions."""

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
# The bucket's name in events of a store that is a folder.
_FOLDER_BUCKET = "local"
# Two minutes in all. EventBridge and Lambda retry for longer, but the train function
# also asks Batch for the state of a job.
MAX_TRIES = 6
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 60.0

logger = logging.getLogger(__name__)


def object_created(store_url: str, entry: Entry) -> dict[str, Any]:
    """S3's event "Object Created" for an object of the store."""
    url = urlsplit(store_url)
    bucket, prefix = _FOLDER_BUCKET, ""
    if url.scheme == "s3":
        bucket, prefix = url.netloc, url.path.strip("/")
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
    """AWS Batch's event "Batch Job State Change" for the present state of a job."""
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
    """Have a function handle an event. A failure is logged, as no sender waits for an answer.

    Returns:
        Whether the event was handled.
    """
    try:
        await pool.invoke(event)
    except DigitsError as error:
        logger.warning(
            "The event %s was not handled: %s", event["detail-type"], error.detail
        )
        return False
    return True


class Deliveries:
    """Asynchronous invocations of a function, in order and with retries, as Lambda's.

    Args:
        pool: the environments of the function.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._turn = asyncio.Lock()
        self._deliveries: set[asyncio.Task[None]] = set()

    def send(self, event: dict[str, Any]) -> None:
        """Start to deliver an event."""
        delivery = asyncio.create_task(self._deliver(event))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)

    def close(self) -> None:
        """Cancel all deliveries."""
        for delivery in self._deliveries:
            delivery.cancel()

    async def _deliver(self, event: dict[str, Any]) -> None:
        async with self._turn:
            handled = await invoke(self._pool, event)
        for failures in range(1, MAX_TRIES):
            if handled:
                return
            seconds = exponential_delay(
                failures, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
            )
            await asyncio.sleep(seconds)
            handled = await invoke(self._pool, event)
        if not handled:
            logger.error(
                "The event %s is dropped after %d tries.",
                event["detail-type"],
                MAX_TRIES,
            )
