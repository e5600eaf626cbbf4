"""`make` installs the packages of a lock, from a local index, with a local uv."""

import base64
import hashlib
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import metadata
from pathlib import Path

import pytest

from local.setup.installation import LAYERS
from local.setup.installers import PYTHON_NEEDED
from tests.conftest import ROOT

UV = Path(sys.prefix) / "bin" / "uv"
# A Python that claims to be of another version.
STAND_IN = """#!/bin/sh
exec {python} -c '
import runpy, sys
sys.version_info = (3, 10, 9)
del sys.argv[:2]
runpy.run_module("local.setup.installation", run_name="__main__")' "$@"
"""


class Index:
    """A package index in a folder, as PEP 503 has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []

    def add(self, name: str, files: dict[str, str]) -> str:
        """Publish version 1.0 of a package.

        Returns:
            Its line in a lock.
        """
        wheel = self.folder / name / f"{name}-1.0-py3-none-any.whl"
        wheel.parent.mkdir(parents=True, exist_ok=True)
        metadata = {
            f"{name}-1.0.dist-info/METADATA": (
                f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
            ),
            f"{name}-1.0.dist-info/WHEEL": (
                "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            ),
        }
        record = f"{name}-1.0.dist-info/RECORD"
        content = files | metadata
        rows = [
            f"{path},sha256={_checksum(text)},{len(text.encode())}"
            for path, text in content.items()
        ]
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in content.items():
                entry = zipfile.ZipInfo(path)
                entry.external_attr = 0o100755 << 16
                archive.writestr(entry, text)
            archive.writestr(record, "\n".join([*rows, f"{record},,"]) + "\n")
        (wheel.parent / "index.html").write_text(
            f'<a href="{wheel.name}">{wheel.name}</a>'
        )
        return f"{name}==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def _checksum(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "index")


@pytest.fixture
def url(index: Index) -> Iterator[str]:
    index.folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, _: str, *args: object) -> None:
            index.asked.append(str(args[0]))

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=index.folder)
    )
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


class Checkout:
    """The part of this project that installs, on a machine with its own locks and index."""

    def __init__(self, folder: Path, index: Index, url: str) -> None:
        self.folder = folder
        self.index = index
        shutil.copytree(ROOT / "local" / "setup", folder / "local" / "setup")
        shutil.copy(ROOT / "local" / "__init__.py", folder / "local")
        self.lock("training", index.add("ink", {"ink.py": "COLOUR = 'blue'\n"}))
        self.lock("uv", f"uv==1.0 --hash=sha256:{'0' * 64}\n")
        self.programs = folder / "programs"
        self.programs.mkdir()
        self.pip_settings = {"index-url": url}
        self.marker = folder / ".venv" / "training" / ".complete"

    def lock(self, layer: str, lines: str) -> None:
        path = self.folder / "requirements" / f"{layer}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(lines)

    def have_uv(self) -> None:
        (self.programs / "uv").symlink_to(UV)

    def install(self, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
        settings = "".join(
            f"{name} = {value}\n" for name, value in self.pip_settings.items()
        )
        (self.folder / "pip.conf").write_text(f"[global]\n{settings}")
        foreign = ("PIP_", "UV_")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(foreign)
        }
        own = {
            "PATH": str(self.programs),
            "HOME": str(self.folder),
            "PIP_CONFIG_FILE": str(self.folder / "pip.conf"),
            "UV_CACHE_DIR": str(self.folder / "cache"),
            "UV_PYTHON_DOWNLOADS": "never",
        }
        command = [
            python,
            "-m",
            "local.setup.installation",
            "training",
            str(self.marker),
        ]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=kept | own,
            capture_output=True,
            text=True,
            check=False,
        )

    def colour(self) -> str:
        """What the installed package says."""
        command = [
            str(self.marker.parent / "bin" / "python"),
            "-c",
            "import ink; print(ink.COLOUR)",
        ]
        return subprocess.run(
            command, capture_output=True, text=True, check=True
        ).stdout.strip()

    def installer(self) -> str:
        """Who installed the package."""
        (found,) = self.marker.parent.glob(
            "lib/*/site-packages/ink-1.0.dist-info/INSTALLER"
        )
        return found.read_text().strip()


@pytest.fixture
def checkout(tmp_path: Path, index: Index, url: str) -> Checkout:
    return Checkout(tmp_path / "checkout", index, url)


def test_uv_installs_from_the_index_that_pip_is_set_up_with(checkout: Checkout) -> None:
    checkout.have_uv()
    done = checkout.install()
    assert done.returncode == 0, done.stderr
    assert (checkout.colour(), checkout.installer()) == ("blue", "uv")
    first, last = done.stderr.splitlines()
    assert first.startswith(
        f"Installing TensorFlow into {checkout.marker.parent}: 1 packages, "
    )
    assert last.startswith("Installed in ")


def test_where_there_is_no_uv_pip_gets_it_by_its_checksum(checkout: Checkout) -> None:
    script = f'#!/bin/sh\nexec {UV} "$@"\n'
    checkout.lock("uv", checkout.index.add("uv", {"uv-1.0.data/scripts/uv": script}))
    assert checkout.install().returncode == 0
    assert (checkout.colour(), checkout.installer()) == ("blue", "uv")


def test_where_uv_cannot_be_got_pip_installs(checkout: Checkout) -> None:
    done = checkout.install()
    assert done.returncode == 0, done.stderr
    assert (checkout.colour(), checkout.installer()) == ("blue", "pip")


def test_where_uv_does_not_run_pip_installs(checkout: Checkout) -> None:
    (checkout.programs / "uv").write_text("#!/bin/sh\nexit 1\n")
    (checkout.programs / "uv").chmod(0o755)
    assert checkout.install().returncode == 0
    assert checkout.installer() == "pip"


def test_what_is_installed_is_left_alone(checkout: Checkout) -> None:
    checkout.have_uv()
    checkout.install()
    requests = len(checkout.index.asked)
    assert checkout.install().stderr == ""
    assert len(checkout.index.asked) == requests


def test_another_lock_is_installed_over_the_old_one(checkout: Checkout) -> None:
    checkout.have_uv()
    checkout.install()
    pen = checkout.index.add("pen", {"pen.py": ""})
    checkout.lock(
        "training",
        (checkout.folder / "requirements" / "training.txt").read_text() + pen,
    )
    assert checkout.install().returncode == 0
    assert list(checkout.marker.parent.glob("lib/*/site-packages/pen.py"))


@pytest.mark.parametrize("has_uv", [True, False])
def test_another_checksum_than_the_locked_one_is_refused(
    checkout: Checkout, *, has_uv: bool
) -> None:
    if has_uv:
        checkout.have_uv()
    checkout.index.add("ink", {"ink.py": "COLOUR = 'red'\n"})
    done = checkout.install()
    assert done.returncode == 1
    assert "hash" in done.stderr.lower()
    assert done.stderr.endswith("Then try again.\n")
    assert not checkout.marker.exists()


@pytest.mark.parametrize("has_uv", [True, False])
def test_what_an_interrupted_installation_left_is_replaced(
    checkout: Checkout, *, has_uv: bool
) -> None:
    if has_uv:
        checkout.have_uv()
    checkout.install()
    (found,) = checkout.marker.parent.glob("lib/*/site-packages/ink.py")
    found.unlink()  # Rather than written to: uv's cache has the same file.
    checkout.marker.rename(checkout.marker.parent / ".unfinished")
    assert checkout.install().returncode == 0
    assert checkout.colour() == "blue"


def test_an_environment_whose_python_is_gone_is_made_again(checkout: Checkout) -> None:
    checkout.have_uv()
    checkout.install()
    python = checkout.marker.parent / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert checkout.install().returncode == 0
    assert checkout.colour() == "blue"


def test_constraints_and_other_places_of_pip_count(
    checkout: Checkout, tmp_path: Path
) -> None:
    checkout.have_uv()
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("ink<1\n")
    checkout.pip_settings["constraint"] = str(constraints)
    assert "ink<1" in checkout.install().stderr
    constraints.write_text("ink<2\n")
    packages = checkout.index.folder / "ink"
    checkout.pip_settings |= {"no-index": "true", "find-links": str(packages)}
    requests = len(checkout.index.asked)
    assert checkout.install().returncode == 0
    assert len(checkout.index.asked) == requests


def test_two_installations_at_once_are_one(checkout: Checkout) -> None:
    checkout.have_uv()
    with ThreadPoolExecutor() as threads:
        both = list(threads.map(lambda _: checkout.install(), range(2)))
    assert [done.returncode for done in both] == [0, 0]
    assert sorted(bool(done.stderr) for done in both) == [False, True]


def test_uv_finds_a_python_in_range(checkout: Checkout) -> None:
    checkout.have_uv()
    (checkout.programs / "python3.11").symlink_to(sys.executable)
    assert checkout.install(old_python(checkout)).returncode == 0
    assert checkout.colour() == "blue"


def test_one_line_says_which_python_is_needed(checkout: Checkout) -> None:
    done = checkout.install(old_python(checkout))
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == [PYTHON_NEEDED]


def old_python(checkout: Checkout) -> str:
    path = checkout.folder / "python"
    path.write_text(STAND_IN.format(python=sys.executable))
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("layer", ["serve", "dev", "training"])
def test_a_layer_is_about_as_large_as_it_says(layer: str) -> None:
    lock = (ROOT / "requirements" / f"{layer}.txt").read_text()
    names = re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)
    size = sum(map(_size, names))
    assert LAYERS[layer].megabytes == pytest.approx(size / 10**6, rel=0.2)


def _size(name: str) -> int:
    """Bytes of a package as it came; none where another system's is not installed."""
    try:
        files = metadata.files(name) or []
    except metadata.PackageNotFoundError:
        return 0
    return sum(file.size or 0 for file in files)
