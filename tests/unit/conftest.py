"""What keeps the unit tests fast: they load no TensorFlow and start no process."""

import subprocess
import sys

import pytest

# The tests of the Makefile run make, which takes a hundredth of a second.
MAY_START_PROCESSES = ("test_makefile.py",)


@pytest.fixture(autouse=True)
def _alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    # Importing a name that is None in sys.modules fails as if there were no such module.
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    if request.path.name not in MAY_START_PROCESSES:
        monkeypatch.setattr(subprocess, "Popen", _refuse)


def _refuse(*arguments: object, **_: object) -> None:
    pytest.fail(f"A unit test starts a process: {arguments}. Move the test to tests/integration.")
