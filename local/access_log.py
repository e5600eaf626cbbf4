"""The log of requests, without those that nobody wants to read."""

import logging

from local import batch

# Health checks come every few seconds. The other path is a secret.
_LEFT_OUT = (f"{batch.PATH}/", "/health")


def shorten() -> None:
    """Leave out of uvicorn's log what is no caller's business, once uvicorn has set it up."""
    logging.getLogger("uvicorn.access").addFilter(_is_of_interest)


def _is_of_interest(record: logging.LogRecord) -> bool:
    # uvicorn's arguments: who called, the method, the path with its query, HTTP's version, the status.
    path = record.args[2] if isinstance(record.args, tuple) else ""
    return not str(path).startswith(_LEFT_OUT)
