"""The log of requests, without those that nobody wants to read."""

import logging


def leave_out(*paths: str) -> None:
    """Leave requests under these paths out of uvicorn's log, once uvicorn has set it up."""

    def is_of_interest(record: logging.LogRecord) -> bool:
        # uvicorn's arguments: who called, the method, the path with its query, HTTP's
        # version, the status.
        path = record.args[2] if isinstance(record.args, tuple) else ""
        return not str(path).startswith(paths)

    logging.getLogger("uvicorn.access").addFilter(is_of_interest)
