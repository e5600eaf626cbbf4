import re
from importlib import metadata

import pytest

from local.setup.installation import LAYERS
from tests.conftest import ROOT


@pytest.mark.parametrize("layer", ["serve", "dev", "training"])
def test_the_stated_size_of_a_layer_is_about_right(layer: str) -> None:
    lock = (ROOT / "requirements" / f"{layer}.txt").read_text()
    names = re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)
    size = sum(map(installed_bytes, names))
    assert LAYERS[layer].megabytes == pytest.approx(size / 10**6, rel=0.2)


def installed_bytes(package: str) -> int:
    """The size of a package; 0 for a package that only other systems need."""
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        return 0
    return sum(file.size or 0 for file in files)
