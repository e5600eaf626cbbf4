"""`digits models`: list, show, release and export."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from local.checkout import BUNDLED_FOLDER
from tests.conftest import ROOT
from tests.integration.command_line import digits, publish_model

VERSION = "20260101T000000Z-0000aaaa"


def read_folder(folder: Path) -> dict[str, bytes]:
    """The content of a folder's files, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_bundled_model_is_listed_shown_and_released_as_other_models(
    tmp_path: Path,
) -> None:
    publish_model(tmp_path, VERSION)
    listed = json.loads(digits(tmp_path, "models", "list", "--json").stdout)
    assert listed["live"] == "bundled"
    assert [model["version"] for model in listed["models"]] == [
        VERSION,
        "bundled",
    ]
    shown = json.loads(digits(tmp_path, "models", "show", "bundled").stdout)
    assert shown == listed["models"][1]
    digits(tmp_path, "models", "release", VERSION)
    table = digits(tmp_path, "models", "list").stdout.splitlines()
    assert [line.split()[:2] for line in table[1:]] == [
        ["live", VERSION],
        ["bundled", "mnist"],
    ]
    assert f"{shown['metrics']['accuracy']:.4f}" in table[2]
    assert (
        digits(tmp_path, "models", "release", "bundled").stdout
        == "Release 2: bundled is live.\n"
    )
    relisted = json.loads(digits(tmp_path, "models", "list", "--json").stdout)
    assert relisted["live"] == "bundled"


def test_a_damaged_model_is_listed_with_its_problem(tmp_path: Path) -> None:
    publish_model(tmp_path, VERSION)
    (tmp_path / "models" / VERSION / "manifest.json").write_text("{")
    listing = digits(tmp_path, "models", "list")
    assert listing.returncode == 0, listing.stderr
    assert re.search(
        rf"^{VERSION}: The manifest of model .* cannot be read",
        listing.stdout,
        re.MULTILINE,
    )
    assert "bundled" in listing.stdout


def test_an_export_has_all_files_of_a_model(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    export = digits(tmp_path, "models", "export", "bundled", str(folder))
    assert export.returncode == 0, export.stderr
    assert read_folder(folder) == read_folder(BUNDLED_FOLDER)


def test_a_failed_export_leaves_the_folder_unchanged(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    publish_model(tmp_path, VERSION)
    stored = tmp_path / "models" / VERSION / "model.tflite"
    stored.write_bytes(stored.read_bytes()[:1000])
    folder.mkdir()
    (folder / "model.tflite").write_bytes(b"old")
    cut = digits(tmp_path, "models", "export", VERSION, str(folder))
    assert (cut.returncode, cut.stderr.count("\n")) == (1, 1)
    assert f"model.tflite of model {VERSION} does not match its manifest" in cut.stderr
    assert read_folder(folder) == {"model.tflite": b"old"}


def test_an_export_to_a_full_disk_leaves_the_folder_unchanged(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "model.tflite").write_bytes(b"old")
    command = f"{sys.executable} -m local.cli models export bundled {folder}"
    environment = os.environ | {
        "DIGITS_STORE": tmp_path.as_uri(),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    full = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -f 8; {command}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (full.returncode, full.stderr.count("\n")) == (1, 1), full.stderr
    assert "file too large" in full.stderr
    assert read_folder(folder) == {"model.tflite": b"old"}
