"""Settings from the environment."""

import os

import pytest

from digits.settings import Settings
from digits.store import Store


def test_an_empty_endpoint_is_no_endpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every deployed function has the empty variable, which clients would take for a URL."""
    monkeypatch.setenv("DIGITS_STORE", "s3://bucket")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    Store(Settings.from_environment().store)
    assert "AWS_ENDPOINT_URL" not in os.environ
