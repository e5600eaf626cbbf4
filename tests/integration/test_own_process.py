"""Properties of a whole process: its imports, its peak memory, the same bytes from each process."""

import os
import subprocess
import sys
import zlib
from collections.abc import Iterable, Iterator

import pytest

from digits.imaging.png import MAX_BYTES, MAX_SIDE
from tests.conftest import ROOT
from tests.unit.shared.imaging.png_writer import GREY, RGBA, assemble, chunk, header

FRAME = """
import hashlib
import numpy as np
from digits.datasets import tfrecord
images = np.arange(3 * 784).astype(np.uint8).reshape(3, 28, 28)
print(hashlib.sha256(tfrecord.frame_examples(images, np.array([0, 5, 9], np.uint8))).hexdigest())
"""
# Prints the growth of the peak memory, in MiB.
READ = r"""
import re, sys
from pathlib import Path
from digits.imaging.normalise import read_digit
def peak():
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])
png = sys.stdin.buffer.read()
before = peak()
assert read_digit(png).shape == (28, 28)
print((peak() - before) // 1024)
"""
MAX_MIB = 200


def run(script: str, stdin: bytes = b"") -> bytes:
    """The output of a script."""
    folders = [str(ROOT), str(ROOT / "layers" / "shared")]
    process = subprocess.run(
        [sys.executable, "-c", script],
        input=stdin,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return process.stdout


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
            id="a training, before its first progress report",
        ),
        pytest.param("training.__main__", "tensorflow", id="a training that is over"),
    ],
)
def test_slow_modules_are_imported_late(modules: str, slow: str) -> None:
    imported = run(f"import sys, {modules}; print(*sys.modules)").decode().split()
    assert not {*slow.split(", ")} & {*imported}


def test_every_process_writes_the_same_records() -> None:
    checksums = {run(FRAME) for _ in range(3)}
    assert len(checksums) == 1


def deflate(pieces: Iterable[bytes]) -> bytes:
    """Compress a stream that does not fit in memory."""
    compressor = zlib.compressobj(1)
    compressed = [compressor.compress(piece) for piece in pieces]
    return b"".join([*compressed, compressor.flush()])


def frame(dark: bytes, light: bytes) -> Iterator[bytes]:
    """The rows of the largest image: a light frame around a dark area.

    Args:
        dark: a dark pixel.
        light: a light pixel.
    """
    line = b"\0" + light * MAX_SIDE
    inside = b"\0" + light + dark * (MAX_SIDE - 2) + light
    yield inside
    yield line
    for _ in range(MAX_SIDE - 4):
        yield inside
    yield line
    yield inside


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("colour", "transparency", "dark", "light"),
    [
        pytest.param(RGBA, b"", b"\0\0\0\0\0\0\xff\xff", b"\xff" * 8, id="RGBA"),
        pytest.param(
            GREY,
            chunk(b"tRNS", b"\x12\x34"),
            b"\0\0",
            b"\xff\xff",
            id="grey with one transparent shade",
        ),
    ],
)
def test_the_largest_image_is_read_in_bounded_memory(
    colour: int, transparency: bytes, dark: bytes, light: bytes
) -> None:
    png = assemble(
        header(MAX_SIDE, MAX_SIDE, 16, colour),
        transparency,
        chunk(b"IDAT", deflate(frame(dark, light))),
        chunk(b"IEND"),
    )
    assert len(png) <= MAX_BYTES
    assert int(run(READ, png)) < MAX_MIB
