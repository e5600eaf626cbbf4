"""What goes into the Lambda layer must load there: zip functions run on Amazon Linux 2, with glibc 2.26."""

import re
from importlib.metadata import distribution
from pathlib import Path

import pytest

LOCK = Path(__file__).parents[2] / "layers" / "shared" / "requirements.txt"
PACKAGES = re.findall(r"^([\w.-]+)==", LOCK.read_text(), re.MULTILINE)
GLIBC = (2, 26)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_layers_wheels_run_on_its_glibc(package: str) -> None:
    tags = re.findall(
        r"^Tag: .*-(\w+)$", distribution(package).read_text("WHEEL") or "", re.MULTILINE
    )
    assert any(
        tag == "any" or tag.startswith("manylinux2014") or _glibc(tag) <= GLIBC
        for tag in tags
    ), tags


def _glibc(tag: str) -> tuple[int, int]:
    match = re.match(r"manylinux_(\d+)_(\d+)_", tag)
    return (int(match[1]), int(match[2])) if match else (99, 0)
