"""The wheel that pip and uvx install."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx
import pytest

from digits import __version__
from tests.conftest import ROOT
from tests.integration.local.conftest import eventually

REQUIREMENTS = ROOT / "requirements"
USER_DATA = Path(".local", "share", "digits")
COMMAND = "from digits_app.local.cli.installed import main; main()"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the contents of the wheel."""
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
    """The environment variables of a user who has the wheel and no checkout."""
    foreign = {"DIGITS_STORE", "XDG_DATA_HOME"}
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    return kept | {"PYTHONPATH": str(installed), "HOME": str(tmp_path)}


@pytest.fixture
def service_url(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    log = tmp_path / "log"
    with log.open("wb") as output:
        command = [sys.executable, "-P", "-c", COMMAND, "serve", "--port", "0"]
        server = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=output, stderr=output
        )

    def find_url() -> str:
        match = re.search(r"ready: (\S+)", log.read_text())
        return match[1] if match else ""

    yield eventually(find_url, 60)
    server.terminate()
    assert server.wait(30) == 0


def test_the_wheel_serves_in_any_folder(service_url: str, tmp_path: Path) -> None:
    png = (ROOT / "example" / "8.png").read_bytes()
    headers = {"Content-Type": "image/png"}
    answer = httpx.post(f"{service_url}/predict", content=png, headers=headers)
    assert answer.json()["prediction"] == 8
    assert "<canvas" in httpx.get(service_url).text
    listed = httpx.get(f"{service_url}/datasets").json()
    assert [dataset["name"] for dataset in listed["datasets"]] == ["starter"]
    assert (tmp_path / USER_DATA / "datasets").is_dir()


def test_the_wheel_keeps_data_in_the_folder_of_the_user(
    environment: dict[str, str], tmp_path: Path, tiny_npz: Path
) -> None:
    command = [sys.executable, "-P", "-c", COMMAND, "data"]
    variables = environment | {"MNIST_NPZ": str(tiny_npz)}
    subprocess.run(command, cwd=tmp_path, env=variables, check=True)
    copy = tmp_path / USER_DATA / "mnist.npz"
    assert copy.read_bytes() == tiny_npz.read_bytes()


def test_the_wheel_holds_only_the_package(installed: Path) -> None:
    folders = {path.name for path in installed.iterdir() if path.is_dir()}
    assert folders == {"digits_app", f"digits-{__version__}.dist-info"}
    assert not list(installed.rglob("Dockerfile"))
    assert not list(installed.rglob("mnist.npz"))


def test_dependencies_of_the_wheel_are_the_locked_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    serve = required_packages("serve") | required_packages("layer")
    assert package_names(project["dependencies"]) == serve
    train = package_names(project["optional-dependencies"]["train"])
    training = required_packages("training") | required_packages("training-base")
    assert train | serve >= training


def required_packages(layer: str) -> set[str]:
    """The packages in a `.in` file of requirements, without options and included files."""
    lines = (REQUIREMENTS / f"{layer}.in").read_text().splitlines()
    return package_names(line for line in lines if line[:1].isalpha())


def package_names(requirements: Iterable[str]) -> set[str]:
    return {package_name(requirement) for requirement in requirements}


def package_name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9-]", requirement)[0]
