"""`make soak` itself: one round, and a broken service that the round must find."""

import os
import subprocess
import sys

import pytest

from tests.integration.conftest import ROOT

pytestmark = pytest.mark.long

# The first round of this seed uses a folder, which is fast, and releases models.
SEED = "19"
CODE = [".", "functions/predict", "functions/train", "functions/convert"]
# A soak of a service that stores each release twice.
BROKEN = """
import sys
from dataclasses import replace
from digits import documents
from digits.models import releases
from tests.soak import __main__ as soak

def release_twice(store, *arguments, **more):
    made = release(store, *arguments, **more)
    again = replace(made, number=made.number + 1)
    store.create(f"releases/{again.number}.json", documents.to_bytes(again))
    return made

release, releases.release = releases.release, release_twice
sys.exit(soak.main())
"""


def soak(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(CODE)}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_round_succeeds() -> None:
    done = soak("-m", "tests.soak", "--rounds", "1", "--seed", SEED)
    assert done.returncode == 0, done.stdout
    assert "all holds." in done.stdout


def test_a_violation_is_found_and_can_be_repeated() -> None:
    done = soak("-c", BROKEN, "--rounds", "1", "--seed", SEED)
    assert done.returncode == 1, done.stdout
    assert "Violation: Released twice: Release(" in done.stdout
    assert f"make soak SEED={SEED} FIRST=1 ROUNDS=1" in done.stdout
