"""The `digits` command and main.py as processes, for tests."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from digits.models.manifests import MANIFEST_FILE, MODEL_FILE, parse_manifest, publish
from digits.store import Store
from local.checkout import BUNDLED_FOLDER
from tests.conftest import ROOT

# The most that a command takes, with TensorFlow's import on a busy machine.
TIMEOUT_SECONDS = 200


def run(store: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python with a folder as the store."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"DIGITS_STORE": store.as_uri()},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )


def digits(store: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the `digits` command with a folder as the store."""
    return run(store, "-m", "local.cli", *arguments)


def publish_model(store: Path, version: str) -> None:
    """Publish a copy of the bundled model under another version."""
    bundled = parse_manifest((BUNDLED_FOLDER / MANIFEST_FILE).read_bytes())
    model = (BUNDLED_FOLDER / MODEL_FILE).read_bytes()
    files = {MODEL_FILE: bundled.files[MODEL_FILE]}
    manifest = replace(bundled, version=version, files=files)
    publish(Store(store.as_uri()), manifest, {MODEL_FILE: model})
