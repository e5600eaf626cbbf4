"""Parses request headers, for the functions and for the local server."""

import re
from collections.abc import Mapping


def media_type(headers: Mapping[str, str] | None, default: str = "") -> str:
    """The Content-Type in lower case, without parameters.

    Args:
        headers: of API Gateway's event. A name has the case that the client wrote.
        default: for requests without a Content-Type.
    """
    content_type = default
    for name, value in (headers or {}).items():
        if name.lower() == "content-type":
            content_type = value
    essence, _, _ = content_type.partition(";")
    return essence.strip().lower()


def wait_seconds(prefer: str | None) -> float:
    """The `wait` of a Prefer header (RFC 7240), in seconds; 0 without a `wait`."""
    match = re.search(
        r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\b", prefer or "", re.IGNORECASE
    )
    return float(match[1]) if match else 0.0
