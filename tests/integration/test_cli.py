"""The command lines, as a person types them."""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digits import __version__
from digits.models.manifests import MANIFEST_FILE, MODEL_FILE, parse_manifest, publish
from digits.store import Store
from local.aws_batch.container import NO_TENSORFLOW
from local.checkout import BUNDLED_FOLDER
from local.cli import app
from tests.conftest import need
from tests.integration.conftest import ROOT

# main.py with a small dataset and with weights that are not the checkout's.
LAB = """
import sys, main
from pathlib import Path
main.WEIGHTS, data = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
main.npz = lambda: data
main.main()
"""


# TensorFlow cannot be imported; all that comes before can be seen.
WITHOUT_KERAS = "import sys; sys.modules['keras'] = None" + LAB


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a.png and b.png, 8 and 0, between them what cannot be read, and cut.png."""
    folder = tmp_path / "pictures"
    (folder / "folder.png").mkdir(parents=True)
    (folder / "a.png").write_bytes((ROOT / "example" / "8.png").read_bytes())
    (folder / "b.png").write_bytes((ROOT / "example" / "0.png").read_bytes())
    (folder / "cut.png").write_bytes((ROOT / "example" / "0.png").read_bytes()[:-20])
    Image.new("L", (50, 50)).save(folder / "blank.png")
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    return folder


def run(store: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DIGITS_STORE": store.as_uri()}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def digits(store: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(store, "-m", "local.cli", *arguments)


@pytest.fixture
def refusal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., str]]:
    """The one line of a command that fails, in this process: another one takes half a second to start."""
    logger = logging.getLogger("training.fitting.progress")
    level = logger.level

    def run(store_url: str, *arguments: str) -> str:
        monkeypatch.chdir(ROOT)
        monkeypatch.setenv("DIGITS_STORE", store_url)
        monkeypatch.setattr(sys, "argv", ["digits", *arguments])
        with pytest.raises(SystemExit) as ended:
            app.main()
        out, err = capfd.readouterr()
        # As Python does with the message of an exit.
        status, err = (
            (1, f"{err}{ended.value}\n")
            if isinstance(ended.value.code, str)
            else (ended.value.code, err)
        )
        assert (status, out, err.count("\n")) == (1, "", 1), err
        return err

    yield run
    logger.setLevel(level)


def test_the_labs_command_predicts(tmp_path: Path, tiny_npz: Path) -> None:
    weights = str(tmp_path / "weights.h5")
    before = run(
        tmp_path, "-c", LAB, weights, str(tiny_npz), "--predict", "example/8.png"
    )
    assert (before.returncode, before.stdout, before.stderr) == (
        0,
        "Predicted: 8\n",
        "",
    )


def test_the_labs_command_says_what_it_does_before_tensorflow_is_loaded(
    tmp_path: Path, tiny_npz: Path
) -> None:
    broken = run(
        tmp_path,
        "-c",
        WITHOUT_KERAS,
        str(tmp_path / "weights.h5"),
        str(tiny_npz),
        "--train",
    )
    assert re.search(r"ModuleNotFoundError: .*keras", broken.stderr)
    assert broken.stdout == "Converting tiny.npz to TFRecords\n"
    assert re.match(r"Fetching the examples, \d+ s to go\n", broken.stderr)


def test_the_labs_command_trains_and_predicts_with_its_weights(
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
    assert (
        re.findall(r"^(\w+(?: \d/\d)?).* s to go$", trained.stderr, re.MULTILINE)
        == steps
    )
    assert "Test loss: " in trained.stdout
    assert float(trained.stdout.split("Test accuracy: ")[1]) > 0.7
    assert (tmp_path / "datasets" / "tiny" / "1.0.0" / "dataset_info.json").exists()
    assert weights.exists()
    after = run(
        tmp_path, "-c", LAB, str(weights), str(tiny_npz), "--predict", "example/0.png"
    )
    assert after.stdout == "Predicted: 0\n", after.stderr


def test_digits_converts_and_predicts(tmp_path: Path, tiny_npz: Path) -> None:
    converted = digits(tmp_path, "convert", str(tiny_npz), "--name", "mine")
    assert "mine 1.0.0: 2,000 train, 300 test examples" in converted.stdout, (
        converted.stderr
    )
    predicted = digits(tmp_path, "predict", "example/3.png", "example/4.png")
    assert [line.split()[1] for line in predicted.stdout.splitlines()] == ["3", "4"], (
        predicted.stderr
    )


def test_each_picture_is_read_whatever_is_wrong_with_the_others(
    tmp_path: Path, pictures: Path
) -> None:
    names = ["a", "blank", "folder", "nowhere", "cut", "noise", "b"]
    paths = [str(pictures / f"{name}.png") for name in names]
    told = digits(tmp_path, "predict", *paths)
    assert told.returncode == 1
    assert [line.partition(" (")[0] for line in told.stdout.splitlines()] == [
        f"{paths[0]}: 8",
        f"{paths[-1]}: 0",
    ]
    reasons = dict(line.split(": ", 1) for line in told.stderr.splitlines())
    assert list(reasons) == paths[1:-1]
    assert "blank" in reasons[paths[1]]
    assert reasons[paths[2]] == "is a directory."
    assert reasons[paths[3]] == "no such file or directory."
    assert "accept=any" not in told.stderr


def test_predictions_are_json_for_programs(tmp_path: Path, pictures: Path) -> None:
    paths = [str(pictures / f"{name}.png") for name in ("a", "blank", "noise", "b")]
    told = digits(tmp_path, "predict", "--json", *paths)
    assert (told.returncode, told.stderr) == (1, "")
    found = [json.loads(line) for line in told.stdout.splitlines()]
    assert [one["path"] for one in found] == paths
    assert [one["accepted"] for one in found] == [True, False, False, True]
    assert [one["prediction"] for one in found][::3] == [8, 0]
    assert [one["problem"] is None for one in found] == [True, False, False, True]
    assert found[0]["confidence"] > 0.9
    assert found[2]["prediction"] is not None
    assert digits(tmp_path, "predict", "--json", paths[0]).returncode == 0


def test_the_name_of_a_file_need_not_be_text(tmp_path: Path) -> None:
    told = digits(tmp_path, "predict", os.fsdecode(b"/nowhere/\xff.png"))
    assert (told.returncode, told.stderr) == (
        1,
        "/nowhere/\ufffd.png: no such file or directory.\n",
    )


def test_the_bundled_model_is_one_like_any_other(tmp_path: Path) -> None:
    published(tmp_path, "20260101T000000Z-0000aaaa")
    listed = json.loads(digits(tmp_path, "models", "list", "--json").stdout)
    assert listed["live"] == "bundled"
    assert [model["version"] for model in listed["models"]] == [
        "20260101T000000Z-0000aaaa",
        "bundled",
    ]
    shown = json.loads(digits(tmp_path, "models", "show", "bundled").stdout)
    assert shown == listed["models"][1]
    digits(tmp_path, "models", "release", "20260101T000000Z-0000aaaa")
    table = digits(tmp_path, "models", "list").stdout.splitlines()
    assert [line.split()[:2] for line in table[1:]] == [
        ["live", "20260101T000000Z-0000aaaa"],
        ["bundled", "mnist"],
    ]
    assert f"{shown['metrics']['accuracy']:.4f}" in table[2]
    assert (
        digits(tmp_path, "models", "release", "bundled").stdout
        == "Release 2: bundled is live.\n"
    )
    assert (
        json.loads(digits(tmp_path, "models", "list", "--json").stdout)["live"]
        == "bundled"
    )


def test_a_damaged_model_is_listed_with_its_problem(tmp_path: Path) -> None:
    published(tmp_path, "20260101T000000Z-0000aaaa")
    (tmp_path / "models" / "20260101T000000Z-0000aaaa" / "manifest.json").write_text(
        "{"
    )
    told = digits(tmp_path, "models", "list")
    assert told.returncode == 0, told.stderr
    assert re.search(
        r"^20260101T000000Z-0000aaaa: The manifest of model .* cannot be read",
        told.stdout,
        re.MULTILINE,
    )
    assert "bundled" in told.stdout


def test_a_model_is_exported_whole(tmp_path: Path) -> None:
    done = digits(
        tmp_path, "models", "export", "bundled", str(tmp_path / "new" / "folder")
    )
    assert done.returncode == 0, done.stderr
    exported = {
        path.name: path.read_bytes() for path in (tmp_path / "new" / "folder").iterdir()
    }
    assert exported == {
        path.name: path.read_bytes() for path in BUNDLED_FOLDER.iterdir()
    }


def test_an_export_that_fails_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    version, folder = "20260101T000000Z-0000aaaa", tmp_path / "folder"
    published(tmp_path, version)
    stored = tmp_path / "models" / version / "model.tflite"
    stored.write_bytes(stored.read_bytes()[:1000])
    folder.mkdir()
    (folder / "model.tflite").write_bytes(b"old")
    cut = digits(tmp_path, "models", "export", version, str(folder))
    assert (cut.returncode, cut.stderr.count("\n")) == (1, 1)
    assert f"model.tflite of model {version} does not match its manifest" in cut.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "model.tflite": b"old"
    }


def test_an_export_to_a_full_disk_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "model.tflite").write_bytes(b"old")
    command = (
        f"{sys.executable} -m local.cli models export bundled {tmp_path / 'folder'}"
    )
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
    assert {
        path.name: path.read_bytes() for path in (tmp_path / "folder").iterdir()
    } == {"model.tflite": b"old"}


@pytest.mark.long
def test_digits_evaluates_the_live_model_on_the_data_it_was_trained_on(
    tmp_path: Path, tiny_npz: Path, small_npz: Path
) -> None:
    (tmp_path / "gradients").mkdir()
    Image.linear_gradient("L").save(tmp_path / "gradients" / "linear.png")
    Image.new("L", (50, 50)).save(tmp_path / "gradients" / "blank.png")
    for npz in (tiny_npz, small_npz):
        digits(tmp_path, "convert", str(npz), "--name", "mnist")
    options = (
        "--negatives",
        str(tmp_path / "gradients"),
        "--samples",
        "10",
        "--output",
        str(tmp_path / "found"),
    )
    evaluated = digits(tmp_path, "evaluate", *options)
    told = evaluated.stdout
    assert "on 300 digits of mnist 1.0.0\n" in told, evaluated.stderr
    assert (
        float(re.findall(r"accuracy (\S+) \(95 % confidence interval", told)[0]) > 0.98
    )
    assert len(re.findall(r"^  \d: ", told, re.MULTILINE)) == 10
    assert float(re.findall(r"taken for digits (\S+)", told)[0]) > 0.98
    assert "gradients, of 2: rejected 1.0000" in told
    figures = json.loads((tmp_path / "found" / "metrics.json").read_bytes())
    assert figures["accuracy"]["of"] == 300
    assert (
        (tmp_path / "found" / "report.html").read_text().startswith("<!doctype html>")
    )


def test_digits_trains_and_says_how_it_ends(tmp_path: Path, small_npz: Path) -> None:
    digits(tmp_path, "convert", str(small_npz), "--name", "small")
    trained = digits(
        tmp_path,
        "train",
        "--dataset",
        "small",
        "--architecture",
        "lab",
        "--epochs",
        "1",
    )
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
        r"SUCCEEDED: Not released: .* It can be: `digits models release \S+`", ended
    )
    (job,) = re.findall(r"--job-id (\S+)", trained.stdout)
    again = digits(tmp_path, "train", "--job-id", job)
    assert (again.returncode, again.stdout) == (0, f"{ended}\n")


def test_a_training_that_fails_is_a_failed_command(tmp_path: Path) -> None:
    (tmp_path / "jobs" / "job-1").mkdir(parents=True)
    (tmp_path / "jobs" / "job-1" / "request.json").write_text("{")
    failed = digits(tmp_path, "train", "--job-id", "job-1")
    assert failed.returncode == 1
    assert failed.stdout.startswith("FAILED: The job cannot be read.")
    assert "Traceback" not in failed.stderr


def test_digits_says_its_version(tmp_path: Path) -> None:
    need("git")
    commit = subprocess.check_output(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        cwd=ROOT,
        text=True,
    ).strip()
    assert digits(tmp_path, "--version").stdout == f"digits {__version__} ({commit})\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("train",),
        ("evaluate",),
        ("models", "import", str(ROOT / "README.md"), "--dataset", "starter"),
    ],
)
def test_without_tensorflow_one_line_says_how_to_install_it(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    without = "import sys; sys.modules['tensorflow'] = None; from local.cli.app import main; main()"
    environment = os.environ | {"DIGITS_STORE": tmp_path.as_uri()}
    command = [sys.executable, "-c", without, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        f"Training unavailable: {NO_TENSORFLOW}\n",
    )


def test_a_shell_completes_commands(tmp_path: Path) -> None:
    environment = os.environ | {
        "_DIGITS_COMPLETE": "complete_bash",
        "COMP_WORDS": "digits models ex",
        "COMP_CWORD": "2",
    }
    command = [Path(sys.executable).with_name("digits")]
    completed = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.stdout.split() == ["export"], completed.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "nowhere.png"], "nowhere.png: no such file or directory"),
        (["predict", "docs"], "docs: is a directory"),
        (["predict", "README.md"], "README.md: Expected a PNG"),
        (["convert", "nowhere.npz"], "nowhere.npz: no such file or directory"),
        (["convert", "docs"], "docs: is a directory"),
        (
            ["convert", "README.md", "--name", "readme"],
            "Invalid dataset: Expected an npz file",
        ),
        (["convert", "data/starter.npz", "--name", "Not A Name"], "Invalid dataset"),
        (
            ["train", "--dataset", "nothing"],
            "There is no dataset 'nothing'. Convert one with `digits convert`.",
        ),
        (["train", "--epochs", "0"], "Invalid parameter: epochs"),
        (
            ["train", "--job-id", "nothing"],
            "There is no job 'nothing'. Start one with `digits train`.",
        ),
        (
            ["evaluate", "nothing"],
            "There is no model 'nothing'. List the models with `digits models list`.",
        ),
        (
            ["evaluate", "bundled"],
            "There is no dataset 'mnist' 1.0.0. Convert the data with `digits convert`.",
        ),
        (["evaluate", "--negatives", "docs"], "The folder docs holds no PNG files"),
        (
            ["models", "show", "nothing"],
            "There is no model 'nothing'. List the models with `digits models list`.",
        ),
        (
            ["models", "release", "nothing"],
            "There is no model 'nothing'. List the models with `digits models list`.",
        ),
        (["models", "export", "nothing", "folder"], "There is no model 'nothing'."),
        (["models", "export", "bundled", "README.md"], "README.md: file exists"),
        (["models", "import", "nowhere.h5"], "nowhere.h5: no such file or directory"),
        (["models", "import", "docs"], "docs: is a directory"),
        (
            ["models", "import", "README.md", "--dataset", "nothing"],
            "There is no dataset 'nothing'.",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(
    refusal: Callable[..., str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert message in refusal(tmp_path.as_uri(), *arguments)


@pytest.mark.parametrize(
    "command",
    [["predict", "example/8.png"], ["models", "list"], ["train"], ["convert"]],
)
@pytest.mark.parametrize(
    "url",
    ["s3:", "ftp://host/folder", "file:///proc/nowhere/folder", "file:///etc/passwd"],
)
def test_a_store_that_cannot_be_opened_is_one_line(
    refusal: Callable[..., str], command: list[str], url: str
) -> None:
    assert "Set DIGITS_STORE to file:///folder or s3://bucket/prefix." in refusal(
        url, *command
    )


def published(folder: Path, version: str) -> None:
    """Put the bundled model into the store of this folder, under another name."""
    manifest = parse_manifest((BUNDLED_FOLDER / MANIFEST_FILE).read_bytes())
    model = (BUNDLED_FOLDER / MODEL_FILE).read_bytes()
    files = {MODEL_FILE: manifest.files[MODEL_FILE]}
    publish(
        Store(folder.as_uri()),
        replace(manifest, version=version, files=files),
        {MODEL_FILE: model},
    )
