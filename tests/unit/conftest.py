"""Unit tests stay fast: they load no TensorFlow and start no process."""

import subprocess
import sys

import pytest


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # The import of a name that is None in sys.modules fails, as if the module were missing.
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setattr(subprocess, "Popen", _refuse)


def _refuse(*arguments: object, **_: object) -> None:
    pytest.fail(
        f"A unit test starts a process: {arguments}. Move the test to tests/integration."
    )
