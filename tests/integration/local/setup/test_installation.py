"""`local.setup.installation` installs the packages of a lock with uv or pip."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.setup.installers import PYTHON_NEEDED
from tests.integration.local.setup.conftest import UV, Checkout

# A program that runs Python and claims to be Python 3.10.
OLD_PYTHON = """#!/bin/sh
exec {python} -c '
import runpy, sys
sys.version_info = (3, 10, 9)
del sys.argv[:2]
runpy.run_module("local.setup.installation", run_name="__main__")' "$@"
"""


def test_uv_installs_from_the_index_of_pip(checkout: Checkout) -> None:
    checkout.add_uv()
    done = checkout.install()
    assert done.returncode == 0, done.stderr
    assert (checkout.colour(), checkout.installer()) == ("blue", "uv")
    first, last = done.stderr.splitlines()
    assert first.startswith(
        f"Installing TensorFlow into {checkout.environment}: 1 packages, "
    )
    assert last.startswith("Installed in ")


def test_pip_installs_the_locked_uv_where_uv_is_missing(checkout: Checkout) -> None:
    script = f'#!/bin/sh\nexec {UV} "$@"\n'
    locked = checkout.index.add("uv", {"uv-1.0.data/scripts/uv": script})
    checkout.lock("uv", locked)
    assert checkout.install().returncode == 0
    assert (checkout.colour(), checkout.installer()) == ("blue", "uv")


def test_pip_installs_where_uv_cannot_be_installed(checkout: Checkout) -> None:
    done = checkout.install()
    assert done.returncode == 0, done.stderr
    assert (checkout.colour(), checkout.installer()) == ("blue", "pip")


def test_pip_installs_where_uv_fails(checkout: Checkout) -> None:
    uv = checkout.programs / "uv"
    uv.write_text("#!/bin/sh\nexit 1\n")
    uv.chmod(0o755)
    assert checkout.install().returncode == 0
    assert checkout.installer() == "pip"


def test_a_complete_environment_is_not_installed_again(checkout: Checkout) -> None:
    checkout.add_uv()
    checkout.install()
    requests = len(checkout.index.requests)
    assert checkout.install().stderr == ""
    assert len(checkout.index.requests) == requests


def test_a_changed_lock_is_installed_again(checkout: Checkout) -> None:
    checkout.add_uv()
    checkout.install()
    lock = checkout.folder / "requirements" / "training.txt"
    pen = checkout.index.add("pen", {"pen.py": ""})
    checkout.lock("training", lock.read_text() + pen)
    assert checkout.install().returncode == 0
    assert checkout.packages("pen.py")


@pytest.mark.parametrize("has_uv", [True, False])
def test_a_package_with_another_checksum_is_refused(
    checkout: Checkout, *, has_uv: bool
) -> None:
    if has_uv:
        checkout.add_uv()
    checkout.index.add("ink", {"ink.py": "COLOUR = 'red'\n"})
    done = checkout.install()
    assert done.returncode == 1
    assert "hash" in done.stderr.lower()
    assert done.stderr.endswith("Then try again.\n")
    assert not checkout.marker.exists()


@pytest.mark.parametrize("has_uv", [True, False])
def test_an_unfinished_environment_is_replaced(
    checkout: Checkout, *, has_uv: bool
) -> None:
    if has_uv:
        checkout.add_uv()
    checkout.install()
    (module,) = checkout.packages("ink.py")
    # Writing to the file would change the cache of uv, which has the same inode.
    module.unlink()
    checkout.marker.rename(checkout.environment / ".unfinished")
    assert checkout.install().returncode == 0
    assert checkout.colour() == "blue"


def test_an_environment_without_its_python_is_replaced(checkout: Checkout) -> None:
    checkout.add_uv()
    checkout.install()
    python = checkout.environment / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert checkout.install().returncode == 0
    assert checkout.colour() == "blue"


def test_constraints_and_links_of_pip_are_honoured(
    checkout: Checkout, tmp_path: Path
) -> None:
    checkout.add_uv()
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("ink<1\n")
    checkout.pip_settings["constraint"] = str(constraints)
    assert "ink<1" in checkout.install().stderr
    constraints.write_text("ink<2\n")
    packages = checkout.index.folder / "ink"
    checkout.pip_settings |= {"no-index": "true", "find-links": str(packages)}
    requests = len(checkout.index.requests)
    assert checkout.install().returncode == 0
    assert len(checkout.index.requests) == requests


def test_of_two_concurrent_installations_only_the_first_installs(
    checkout: Checkout,
) -> None:
    checkout.add_uv()
    with ThreadPoolExecutor() as threads:
        first = threads.submit(checkout.install)
        second = threads.submit(checkout.install)
    both = [first.result(), second.result()]
    assert [done.returncode for done in both] == [0, 0]
    assert sorted(bool(done.stderr) for done in both) == [False, True]


def test_uv_finds_a_supported_python(checkout: Checkout) -> None:
    checkout.add_uv()
    (checkout.programs / "python3.11").symlink_to(sys.executable)
    assert checkout.install(write_old_python(checkout)).returncode == 0
    assert checkout.colour() == "blue"


def test_an_old_python_is_refused_with_the_versions_needed(checkout: Checkout) -> None:
    done = checkout.install(write_old_python(checkout))
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == [PYTHON_NEEDED]


def write_old_python(checkout: Checkout) -> str:
    path = checkout.folder / "python"
    path.write_text(OLD_PYTHON.format(python=sys.executable))
    path.chmod(0o755)
    return str(path)
