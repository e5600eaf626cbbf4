"""`digits doctor`, called by a person and by a program."""

import json
import os
import subprocess
import sys
from pathlib import Path

from digits import datasets
from digits.store import Store
from tests.integration.conftest import ROOT


def doctor(store: Store, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local.cli", "doctor", *options],
        cwd=ROOT,
        env=os.environ | {"DIGITS_STORE": store.url},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_exit_code_says_whether_there_are_findings(
    store: Store, small_npz: Path
) -> None:
    datasets.convert(store, "tiny", small_npz)
    sound = doctor(store)
    assert sound.returncode == 0, sound.stderr
    assert sound.stdout.startswith(
        "Findings: 0. Checked: models 0, releases 0, dataset versions 1, jobs 0, "
    )
    assert ("multipart uploads" in sound.stdout) == store.url.startswith("s3:")
    store.write("releases/1.json", b"[damaged]")
    damaged = doctor(store)
    assert damaged.returncode == 1
    assert damaged.stdout.startswith("releases/1.json: Release 1 cannot be read: ")
    assert "\nFindings: 1. " in damaged.stdout


def test_a_program_gets_the_findings_as_json(file_store: Store) -> None:
    file_store.write("releases/2.json", b"{}")
    answer = doctor(file_store, "--json")
    assert answer.returncode == 1
    report = json.loads(answer.stdout)
    assert [finding["key"] for finding in report["findings"]] == [
        "releases/1.json",
        "releases/2.json",
    ]
    for finding in report["findings"]:
        assert finding["problem"]
        assert finding["remedy"]
    assert report["checked"]["releases"] == 1
