"""The unit tests' modules load no TensorFlow. tests/unit/conftest.py checks the tests."""

import subprocess
import sys

from tests.conftest import ROOT

COLLECT = """
import sys, pytest
sys.modules["tensorflow"] = None
sys.exit(pytest.main(["tests/unit", "--collect-only", "-qq"]))
"""


def test_unit_tests_are_collected_without_tensorflow() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COLLECT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
