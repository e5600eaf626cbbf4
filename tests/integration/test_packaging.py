"""What pip and uvx install: one package that serves from wherever it is."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from digits import __version__
from tests.conftest import ROOT
from tests.integration.local.conftest import eventually

REQUIREMENTS = ROOT / "requirements"
COMMAND = "from digits_app.local.cli.installed import main; main()"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the content of the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(
        [sys.executable, "-m", *build], cwd=ROOT, check=True, capture_output=True
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def environment(installed: Path, tmp_path: Path) -> dict[str, str]:
    """Of a user who has installed it, and has no checkout."""
    foreign = {"DIGITS_STORE", "XDG_DATA_HOME"}
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    return kept | {"PYTHONPATH": str(installed), "HOME": str(tmp_path)}


@pytest.fixture
def url(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    log = tmp_path / "log"
    with log.open("wb") as output:
        command = [sys.executable, "-P", "-c", COMMAND, "serve", "--port", "0"]
        server = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=output, stderr=output
        )
    yield eventually(lambda: "".join(re.findall(r"ready: (\S+)", log.read_text())), 60)
    server.terminate()
    assert server.wait(30) == 0


def test_it_serves_from_wherever_it_is(url: str, tmp_path: Path) -> None:
    png = (ROOT / "example" / "8.png").read_bytes()
    answer = httpx.post(
        f"{url}/predict", content=png, headers={"Content-Type": "image/png"}
    )
    assert answer.json()["prediction"] == 8
    assert "<canvas" in httpx.get(url).text
    assert [
        dataset["name"] for dataset in httpx.get(f"{url}/datasets").json()["datasets"]
    ] == ["starter"]
    assert (tmp_path / ".local" / "share" / "digits" / "datasets").is_dir()


def test_it_keeps_data_in_the_users_folder(
    environment: dict[str, str], tmp_path: Path, tiny_npz: Path
) -> None:
    command = [sys.executable, "-P", "-c", COMMAND, "data"]
    subprocess.run(
        command,
        cwd=tmp_path,
        env=environment | {"MNIST_NPZ": str(tiny_npz)},
        check=True,
    )
    assert (
        tmp_path / ".local" / "share" / "digits" / "mnist.npz"
    ).read_bytes() == tiny_npz.read_bytes()


def test_it_holds_no_more_than_it_uses(installed: Path) -> None:
    assert {path.name for path in installed.iterdir() if path.is_dir()} == {
        "digits_app",
        f"digits-{__version__}.dist-info",
    }
    assert not list(installed.rglob("Dockerfile"))
    assert not list(installed.rglob("mnist.npz"))


def test_it_asks_for_what_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    serve = _listed("serve") | _listed("layer")
    assert {_name(line) for line in project["dependencies"]} == serve
    train = {_name(line) for line in project["optional-dependencies"]["train"]}
    assert train | serve >= _listed("training") | _listed("training-base")


def _listed(name: str) -> set[str]:
    """The packages that a file of requirements names itself."""
    lines = (REQUIREMENTS / f"{name}.in").read_text().splitlines()
    return {_name(line) for line in lines if line[:1].isalpha()}


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9-]", requirement)[0]
