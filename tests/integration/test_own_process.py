"""What shows in a process of its own only: what is imported, the peak of its memory, the same bytes from each."""

import itertools
import os
import subprocess
import sys
import zlib
from collections.abc import Iterable

import pytest

from digits.imaging.png import MAX_BYTES, MAX_SIDE
from tests.conftest import ROOT
from tests.unit.shared.imaging.png_writer import GREY, RGBA, assemble, chunk, header

FRAME = """
import hashlib
import numpy as np
from digits.datasets import tfrecord
images = np.arange(3 * 784).astype(np.uint8).reshape(3, 28, 28)
print(hashlib.sha256(tfrecord.frame(images, np.array([0, 5, 9], np.uint8))).hexdigest())
"""
READ = """
import sys
from digits.imaging.normalise import read_digit
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
png = sys.stdin.buffer.read()
before = peak()
assert read_digit(png).shape == (28, 28)
print((peak() - before) // 1024)
"""


def run(script: str, given: bytes = b"") -> bytes:
    """What a script prints."""
    path = {
        "PYTHONPATH": os.pathsep.join(
            str(ROOT / part) for part in (".", "layers/shared")
        )
    }
    command = [sys.executable, "-c", script]
    return subprocess.run(
        command, input=given, env=os.environ | path, stdout=subprocess.PIPE, check=True
    ).stdout


@pytest.mark.parametrize(
    ("modules", "slow"),
    [
        pytest.param(
            "digits.datasets",
            "numpy, google.protobuf",
            id="the train function, 0.3 s sooner",
        ),
        pytest.param(
            "training.job, training.fitting.expected",
            "tensorflow",
            id="a training, before it speaks",
        ),
        pytest.param("training.__main__", "tensorflow", id="a training that is over"),
    ],
)
def test_what_is_slow_is_not_imported_before_it_is_needed(
    modules: str, slow: str
) -> None:
    imported = run(f"import sys, {modules}; print(*sys.modules)").decode().split()
    assert not {*slow.split(", ")} & {*imported}


def test_every_process_writes_the_same_records() -> None:
    assert len({run(FRAME) for _ in range(3)}) == 1


def deflate(pieces: Iterable[bytes]) -> bytes:
    packer = zlib.compressobj(1)
    return b"".join([*map(packer.compress, pieces), packer.flush()])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("colour", "before", "dark", "light"),
    [
        pytest.param(RGBA, b"", b"\0\0\0\0\0\0\xff\xff", b"\xff" * 8, id="RGBA"),
        pytest.param(
            GREY,
            chunk(b"tRNS", b"\x12\x34"),
            b"\0\0",
            b"\xff\xff",
            id="grey with a transparent shade",
        ),
    ],
)
def test_the_largest_image_is_read_in_bounded_memory(
    colour: int, before: bytes, dark: bytes, light: bytes
) -> None:
    line = b"\0" + light * MAX_SIDE
    space = b"\0" + light + dark * (MAX_SIDE - 2) + light
    data = deflate(
        itertools.chain(
            [space], [line], itertools.repeat(space, MAX_SIDE - 4), [line], [space]
        )
    )
    png = assemble(
        header(MAX_SIDE, MAX_SIDE, 16, colour),
        before,
        chunk(b"IDAT", data),
        chunk(b"IEND"),
    )
    assert len(png) <= MAX_BYTES
    assert int(run(READ, png)) < 200
