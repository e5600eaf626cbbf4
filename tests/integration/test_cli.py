"""The `digits` command: conversions, predictions, and errors in one line."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digits import __version__
from local.aws_batch.container import NO_TENSORFLOW
from local.cli import app
from tests.conftest import ROOT, need
from tests.integration.command_line import digits


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with the digits 8 (a.png) and 0 (b.png), and with PNG files that are not digits."""
    folder = tmp_path / "pictures"
    (folder / "folder.png").mkdir(parents=True)
    (folder / "a.png").write_bytes((ROOT / "example" / "8.png").read_bytes())
    (folder / "b.png").write_bytes((ROOT / "example" / "0.png").read_bytes())
    (folder / "cut.png").write_bytes((ROOT / "example" / "0.png").read_bytes()[:-20])
    Image.new("L", (50, 50)).save(folder / "blank.png")
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    return folder


@pytest.fixture
def refusal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., str]]:
    """Runs a failing command in this process, as a process takes half a second to start."""
    logger = logging.getLogger("training.fitting.progress")
    level = logger.level

    def run(store_url: str, *arguments: str) -> str:
        monkeypatch.chdir(ROOT)
        monkeypatch.setenv("DIGITS_STORE", store_url)
        monkeypatch.setattr(sys, "argv", ["digits", *arguments])
        with pytest.raises(SystemExit) as caught:
            app.main()
        out, err = capfd.readouterr()
        status = caught.value.code
        if isinstance(status, str):
            # Python prints the message of an exit, and exits with status 1.
            err += f"{status}\n"
            status = 1
        assert (status, out, err.count("\n")) == (1, "", 1), err
        return err

    yield run
    logger.setLevel(level)


def test_digits_converts_and_predicts(tmp_path: Path, tiny_npz: Path) -> None:
    converted = digits(tmp_path, "convert", str(tiny_npz), "--name", "mine")
    assert "mine 1.0.0: 2,000 train, 300 test examples" in converted.stdout, (
        converted.stderr
    )
    predicted = digits(tmp_path, "predict", "example/3.png", "example/4.png")
    assert [line.split()[1] for line in predicted.stdout.splitlines()] == ["3", "4"], (
        predicted.stderr
    )


def test_readable_pictures_are_read_beside_unreadable_pictures(
    tmp_path: Path, pictures: Path
) -> None:
    names = ["a", "blank", "folder", "nowhere", "cut", "noise", "b"]
    paths = [str(pictures / f"{name}.png") for name in names]
    output = digits(tmp_path, "predict", *paths)
    assert output.returncode == 1
    assert [line.partition(" (")[0] for line in output.stdout.splitlines()] == [
        f"{paths[0]}: 8",
        f"{paths[-1]}: 0",
    ]
    reasons = dict(line.split(": ", 1) for line in output.stderr.splitlines())
    assert list(reasons) == paths[1:-1]
    assert "blank" in reasons[paths[1]]
    assert reasons[paths[2]] == "is a directory."
    assert reasons[paths[3]] == "no such file or directory."
    assert "accept=any" not in output.stderr


def test_predictions_are_json_for_programs(tmp_path: Path, pictures: Path) -> None:
    paths = [str(pictures / f"{name}.png") for name in ("a", "blank", "noise", "b")]
    output = digits(tmp_path, "predict", "--json", *paths)
    assert (output.returncode, output.stderr) == (1, "")
    eight, blank, noise, zero = map(json.loads, output.stdout.splitlines())
    assert [entry["path"] for entry in (eight, blank, noise, zero)] == paths
    for digit, prediction in ((eight, 8), (zero, 0)):
        assert digit["accepted"] is True
        assert digit["prediction"] == prediction
        assert digit["problem"] is None
    for non_digit in (blank, noise):
        assert non_digit["accepted"] is False
        assert non_digit["problem"]
    assert eight["confidence"] > 0.9
    assert noise["prediction"] is not None
    assert digits(tmp_path, "predict", "--json", paths[0]).returncode == 0


def test_a_file_name_need_not_be_valid_utf_8(tmp_path: Path) -> None:
    output = digits(tmp_path, "predict", os.fsdecode(b"/nowhere/\xff.png"))
    assert (output.returncode, output.stderr) == (
        1,
        "/nowhere/\ufffd.png: no such file or directory.\n",
    )


def test_digits_prints_its_version(tmp_path: Path) -> None:
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
def test_without_tensorflow_one_line_names_the_command_to_install_tensorflow(
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
        (["predict", "README.md"], "README.md: This is not a PNG"),
        (["convert", "nowhere.npz"], "nowhere.npz: no such file or directory"),
        (["convert", "docs"], "docs: is a directory"),
        (
            ["convert", "README.md", "--name", "readme"],
            "Invalid dataset: The file is not an npz",
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
            "There is no model 'nothing'. List models with `digits models list`.",
        ),
        (
            ["evaluate", "bundled"],
            "There is no dataset 'mnist' 1.0.0. Convert the data with `digits convert`.",
        ),
        (["evaluate", "--negatives", "docs"], "The folder docs holds no PNG files"),
        (
            ["models", "show", "nothing"],
            "There is no model 'nothing'. List models with `digits models list`.",
        ),
        (
            ["models", "release", "nothing"],
            "There is no model 'nothing'. List models with `digits models list`.",
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
def test_an_error_is_one_line(
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
def test_an_invalid_store_is_reported_in_one_line(
    refusal: Callable[..., str], command: list[str], url: str
) -> None:
    assert "Set DIGITS_STORE to file:///folder or s3://bucket/prefix." in refusal(
        url, *command
    )
