"""What headers say, for whoever reads requests: the functions, and what stands before them on one machine."""

import re
from collections.abc import Mapping


def media_type(headers: Mapping[str, str] | None, default: str = "") -> str:
    """The Content-Type without its parameters, in small letters.

    Args:
        headers: of API Gateway's event. Their names come as the client wrote them, in any case.
        default: for requests that have no such header.
    """
    found = {name.lower(): value for name, value in (headers or {}).items()}
    return found.get("content-type", default).partition(";")[0].strip().lower()


def wait_seconds(prefer: str | None) -> float:
    """The `wait` of a Prefer header (RFC 7240), in seconds; 0 without one."""
    match = re.search(
        r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\b", prefer or "", re.IGNORECASE
    )
    return float(match[1]) if match else 0.0
