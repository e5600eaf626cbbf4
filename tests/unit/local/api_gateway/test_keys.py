"""The API key's file: whole or absent, and one for all."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from local.api_gateway.keys import ApiKeyError, load_or_create_key

SERVERS = 8


def test_servers_that_start_at_once_agree_on_a_key(tmp_path: Path) -> None:
    path = tmp_path / "state" / "api-key"
    barrier = Barrier(SERVERS)

    def start(_: int) -> str:
        barrier.wait()
        return load_or_create_key(path).value

    with ThreadPoolExecutor(SERVERS) as threads:
        keys = set(threads.map(start, range(SERVERS)))
    assert keys == {path.read_text().strip()}
    assert list(path.parent.iterdir()) == [path]


def test_a_key_that_could_not_be_written_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(ApiKeyError, match="no space left on device"):
            load_or_create_key(tmp_path / "api-key")
    assert list(tmp_path.iterdir()) == []
    assert load_or_create_key(tmp_path / "api-key") == load_or_create_key(
        tmp_path / "api-key"
    )
