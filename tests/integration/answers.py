"""What tests expect of the service's answers."""

from typing import Any

import httpx


def assert_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document of an answer (RFC 9457), which must be complete."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    for member in ("type", "title", "detail"):
        assert problem[member]
    return problem
