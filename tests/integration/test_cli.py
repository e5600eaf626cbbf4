"""The command lines, as a person types them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.integration.conftest import ROOT

# main.py with a small dataset and with weights that are not the checkout's.
LAB = """
import sys, main
from pathlib import Path
main.WEIGHTS, data = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
main.npz = lambda: data
main.main()
"""


def run(store: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DIGITS_STORE": store.as_uri()}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=200
    )


def digits(store: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(store, "-m", "local.cli", *arguments)


def test_the_labs_command_predicts(tmp_path: Path, tiny_npz: Path) -> None:
    weights = str(tmp_path / "weights.h5")
    before = run(tmp_path, "-c", LAB, weights, str(tiny_npz), "--predict", "example/8.png")
    assert (before.returncode, before.stdout) == (0, "Predicted: 8\n"), before.stderr


def test_the_labs_command_trains_and_predicts_with_its_weights(tmp_path: Path, tiny_npz: Path) -> None:
    weights = tmp_path / "weights.h5"
    trained = run(tmp_path, "-c", LAB, str(weights), str(tiny_npz), "--train")
    assert trained.returncode == 0, trained.stderr
    assert "Test loss: " in trained.stdout
    assert float(trained.stdout.split("Test accuracy: ")[1]) > 0.7
    assert (tmp_path / "datasets" / "tiny" / "1.0.0" / "dataset_info.json").exists()
    assert weights.exists()
    after = run(tmp_path, "-c", LAB, str(weights), str(tiny_npz), "--predict", "example/0.png")
    assert after.stdout == "Predicted: 0\n", after.stderr


def test_digits_converts_and_predicts(tmp_path: Path, tiny_npz: Path) -> None:
    converted = digits(tmp_path, "convert", str(tiny_npz), "--name", "mine")
    assert "mine 1.0.0: 2,000 train, 300 test examples" in converted.stdout, converted.stderr
    predicted = digits(tmp_path, "predict", "example/3.png", "example/4.png")
    assert [line.split()[1] for line in predicted.stdout.splitlines()] == ["3", "4"], predicted.stderr


def test_digits_evaluates_the_bundled_model(tmp_path: Path, tiny_npz: Path) -> None:
    (tmp_path / "gradients").mkdir()
    Image.linear_gradient("L").save(tmp_path / "gradients" / "linear.png")
    Image.new("L", (50, 50)).save(tmp_path / "gradients" / "blank.png")
    digits(tmp_path, "convert", str(tiny_npz), "--name", "mnist")
    options = ("--negatives", str(tmp_path / "gradients"), "--samples", "10", "--output", str(tmp_path / "found"))
    told = digits(tmp_path, "evaluate", "bundled", *options).stdout
    assert "on 300 digits of mnist" in told
    assert float(re.findall(r"accuracy (\S+) \(95 % confidence interval", told)[0]) > 0.98
    assert len(re.findall(r"^  \d: ", told, re.MULTILINE)) == 10
    assert float(re.findall(r"taken for digits (\S+)", told)[0]) > 0.98
    assert "gradients, of 2: rejected 1.0000" in told
    figures = json.loads((tmp_path / "found" / "metrics.json").read_bytes())
    assert figures["accuracy"]["of"] == 300
    assert (tmp_path / "found" / "report.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "nowhere.png"], "nowhere.png"),
        (["predict", "README.md"], "Not a readable PNG"),
        (["convert", "example/8.png", "--name", "eight"], "Invalid dataset"),
        (["convert", "data/starter.npz", "--name", "Not A Name"], "Invalid dataset"),
        (["evaluate"], "digits evaluate bundled"),
        (["evaluate", "bundled", "--negatives", "docs"], "Expected PNG files in the folder docs"),
        (["models", "show", "nothing"], "There is no model 'nothing'"),
        (["models", "release", "nothing"], "There is no model 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    refused = digits(tmp_path, *arguments)
    assert refused.returncode == 1
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr
