"""Trainings and evaluations by `digits` and by main.py, the research lab's command line."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.integration.command_line import digits, run

# main.py with a small dataset, and with weights outside the checkout.
LAB = """
import sys, main
from pathlib import Path
main.WEIGHTS, data = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
main.npz = lambda: data
main.main()
"""
# Without Keras TensorFlow cannot be imported, and main.py stops there.
WITHOUT_KERAS = "import sys; sys.modules['keras'] = None" + LAB


def test_main_predicts_with_the_bundled_model_before_a_training(
    tmp_path: Path, tiny_npz: Path
) -> None:
    weights = str(tmp_path / "weights.h5")
    options = (weights, str(tiny_npz), "--predict", "example/8.png")
    before = run(tmp_path, "-c", LAB, *options)
    assert before.returncode == 0
    assert before.stdout == "Predicted: 8\n"
    assert before.stderr == ""


def test_main_prints_progress_before_tensorflow_is_loaded(
    tmp_path: Path, tiny_npz: Path
) -> None:
    options = (str(tmp_path / "weights.h5"), str(tiny_npz), "--train")
    broken = run(tmp_path, "-c", WITHOUT_KERAS, *options)
    assert re.search(r"ModuleNotFoundError: .*keras", broken.stderr)
    assert broken.stdout == "Converting tiny.npz to TFRecords\n"
    assert re.match(r"Fetching the examples, \d+ s to go\n", broken.stderr)


def test_main_trains_and_predicts_with_its_weights(
    tmp_path: Path, tiny_npz: Path
) -> None:
    weights = tmp_path / "weights.h5"
    trained = run(tmp_path, "-c", LAB, str(weights), str(tiny_npz), "--train")
    assert trained.returncode == 0, trained.stderr
    steps = [
        "Fetching",
        "Preparing",
        "Fitting",
        "Epoch 1/3",
        "Epoch 2/3",
        "Epoch 3/3",
        "Evaluating",
    ]
    progress = r"^(\w+(?: \d/\d)?).* s to go$"
    assert re.findall(progress, trained.stderr, re.MULTILINE) == steps
    assert "Test loss: " in trained.stdout
    assert float(trained.stdout.split("Test accuracy: ")[1]) > 0.7
    assert (tmp_path / "datasets" / "tiny" / "1.0.0" / "dataset_info.json").exists()
    assert weights.exists()
    options = (str(weights), str(tiny_npz), "--predict", "example/0.png")
    after = run(tmp_path, "-c", LAB, *options)
    assert after.stdout == "Predicted: 0\n", after.stderr


def test_digits_trains_and_prints_progress_and_result(
    tmp_path: Path, small_npz: Path
) -> None:
    digits(tmp_path, "convert", str(small_npz), "--name", "small")
    options = ("--dataset", "small", "--architecture", "lab", "--epochs", "1")
    trained = digits(tmp_path, "train", *options)
    assert trained.returncode == 0, trained.stderr
    steps = [
        "Fetching",
        "Preparing",
        "Fitting",
        "Epoch",
        "Exporting",
        "Evaluating",
        "Publishing",
    ]
    assert re.findall(r"^(\w+) .* s to go$", trained.stderr, re.MULTILINE) == steps
    started, *_, ended = trained.stdout.splitlines()
    assert "trains on small 1.0.0" in started
    assert re.fullmatch(
        r"SUCCEEDED: Not released: .* To release the model anyway: `digits models release \S+`",
        ended,
    )
    (job,) = re.findall(r"--job-id (\S+)", trained.stdout)
    again = digits(tmp_path, "train", "--job-id", job)
    assert (again.returncode, again.stdout) == (0, f"{ended}\n")


def test_a_failed_training_has_exit_status_1(tmp_path: Path) -> None:
    (tmp_path / "jobs" / "job-1").mkdir(parents=True)
    (tmp_path / "jobs" / "job-1" / "request.json").write_text("{")
    failed = digits(tmp_path, "train", "--job-id", "job-1")
    assert failed.returncode == 1
    assert failed.stdout.startswith("FAILED: The job cannot be read.")
    assert "Traceback" not in failed.stderr


@pytest.mark.long
def test_digits_evaluates_the_live_model_on_its_own_test_set(
    tmp_path: Path, tiny_npz: Path, small_npz: Path
) -> None:
    (tmp_path / "gradients").mkdir()
    Image.linear_gradient("L").save(tmp_path / "gradients" / "linear.png")
    Image.new("L", (50, 50)).save(tmp_path / "gradients" / "blank.png")
    for npz in (tiny_npz, small_npz):
        digits(tmp_path, "convert", str(npz), "--name", "mnist")
    options = ["--negatives", str(tmp_path / "gradients"), "--samples", "10"]
    options += ["--output", str(tmp_path / "report")]
    evaluated = digits(tmp_path, "evaluate", *options)
    output = evaluated.stdout
    assert "on 300 digits of mnist 1.0.0\n" in output, evaluated.stderr
    assert float(re.findall(r"^accuracy (\S+) \(", output, re.MULTILINE)[0]) > 0.98
    assert len(re.findall(r"^  \d: ", output, re.MULTILINE)) == 10
    assert float(re.findall(r"digits accepted: (\S+)", output)[0]) > 0.98
    assert "gradients, of 2: 1.0000 (" in output
    figures = json.loads((tmp_path / "report" / "metrics.json").read_bytes())
    assert figures["accuracy"]["of"] == 300
    assert (
        (tmp_path / "report" / "report.html").read_text().startswith("<!doctype html>")
    )
