"""Configuration from the environment."""

import os

import pytest

from digits.settings import Settings
from digits.store import Store


def test_an_endpoint_that_is_declared_but_not_set_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As every deployed function has it; obstore and boto3 would take the empty value for a URL."""
    monkeypatch.setenv("DIGITS_STORE", "s3://bucket")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    Store(Settings.from_environment().store)
    assert "AWS_ENDPOINT_URL" not in os.environ
