"""The layer's wheels must load in zip functions, on Amazon Linux 2 with glibc 2.26."""

import re
from importlib.metadata import distribution
from pathlib import Path

import pytest

LOCK = Path(__file__).parents[2] / "layers" / "shared" / "requirements.txt"
PACKAGES = re.findall(r"^([\w.-]+)==", LOCK.read_text(), re.MULTILINE)
GLIBC = (2, 26)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_of_the_layer_runs_on_the_glibc_of_lambda(package: str) -> None:
    wheel = distribution(package).read_text("WHEEL") or ""
    platforms = re.findall(r"^Tag: .*-(\w+)$", wheel, re.MULTILINE)
    assert any(map(runs_on_lambda, platforms)), platforms


def runs_on_lambda(platform: str) -> bool:
    """Whether a wheel of a platform tag loads, by PEP 600."""
    if platform == "any" or platform.startswith("manylinux2014"):
        return True
    match = re.match(r"manylinux_(\d+)_(\d+)_", platform)
    return match is not None and (int(match[1]), int(match[2])) <= GLIBC
