"""The access log, without requests that would only fill it."""

import logging


def leave_out(*paths: str) -> None:
    """Leave requests under some paths out of uvicorn's log. Call this after uvicorn's setup."""

    def is_logged(record: logging.LogRecord) -> bool:
        # uvicorn's arguments: client, method, path with query, HTTP version, status.
        path = record.args[2] if isinstance(record.args, tuple) else ""
        return not str(path).startswith(paths)

    logging.getLogger("uvicorn.access").addFilter(is_logged)
