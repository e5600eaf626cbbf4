"""A checkout with small locks, and an index with the packages of the locks."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.integration.local.setup.package_index import PackageIndex

UV = Path(sys.prefix) / "bin" / "uv"


class Checkout:
    """A copy of `local/setup` that installs the package `ink` as the training layer.

    Attributes:
        pip_settings: the configuration of pip on the machine.
        programs: the only folder on the PATH.
        marker: the file that marks a complete environment.
    """

    def __init__(self, folder: Path, index: PackageIndex, url: str) -> None:
        self.folder = folder
        self.index = index
        shutil.copytree(ROOT / "local" / "setup", folder / "local" / "setup")
        shutil.copy(ROOT / "local" / "__init__.py", folder / "local")
        self.lock("training", index.add("ink", {"ink.py": "COLOUR = 'blue'\n"}))
        # The index has no package with this checksum, so pip cannot install uv.
        self.lock("uv", f"uv==1.0 --hash=sha256:{'0' * 64}\n")
        self.programs = folder / "programs"
        self.programs.mkdir()
        self.pip_settings = {"index-url": url}
        self.environment = folder / ".venv" / "training"
        self.marker = self.environment / ".complete"

    def lock(self, layer: str, lines: str) -> None:
        path = self.folder / "requirements" / f"{layer}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(lines)

    def add_uv(self) -> None:
        """Put uv on the PATH."""
        (self.programs / "uv").symlink_to(UV)

    def install(self, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
        command = [python, "-m", "local.setup.installation", "training"]
        return subprocess.run(
            [*command, str(self.marker)],
            cwd=self.folder,
            env=self._variables(),
            capture_output=True,
            text=True,
            check=False,
        )

    def colour(self) -> str:
        """The constant of the installed package."""
        python = str(self.environment / "bin" / "python")
        command = [python, "-c", "import ink; print(ink.COLOUR)"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def installer(self) -> str:
        """The program that installed the package: `uv` or `pip`."""
        (path,) = self.packages("ink-1.0.dist-info/INSTALLER")
        return path.read_text().strip()

    def packages(self, pattern: str) -> list[Path]:
        """The installed files that match a pattern."""
        return list(self.environment.glob(f"lib/*/site-packages/{pattern}"))

    def _variables(self) -> dict[str, str]:
        """The environment variables, without the settings of pip and uv on this machine."""
        configuration = self.folder / "pip.conf"
        lines = ["[global]"]
        for name, value in self.pip_settings.items():
            lines.append(f"{name} = {value}")
        configuration.write_text("\n".join(lines))
        foreign = ("PIP_", "UV_")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(foreign)
        }
        return kept | {
            "PATH": str(self.programs),
            "HOME": str(self.folder),
            "PIP_CONFIG_FILE": str(configuration),
            "UV_CACHE_DIR": str(self.folder / "cache"),
            "UV_PYTHON_DOWNLOADS": "never",
        }


@pytest.fixture
def index(tmp_path: Path) -> PackageIndex:
    return PackageIndex(tmp_path / "index")


@pytest.fixture
def url(index: PackageIndex) -> Iterator[str]:
    with index.serve() as url:
        yield url


@pytest.fixture
def checkout(tmp_path: Path, index: PackageIndex, url: str) -> Checkout:
    return Checkout(tmp_path / "checkout", index, url)
