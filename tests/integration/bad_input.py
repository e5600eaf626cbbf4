"""Images and uploads that the service must refuse."""

import io
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.conftest import ROOT


def example(digit: int) -> bytes:
    """A PNG that the service reads."""
    return (ROOT / "example" / f"{digit}.png").read_bytes()


def to_bytes(image: Image.Image, file_format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format)
    return buffer.getvalue()


def blank(side: int, file_format: str = "PNG") -> bytes:
    return to_bytes(Image.new("L", (side, side), 255), file_format)


def wrong_checksum() -> bytes:
    png = bytearray(example(8))
    first_byte_of_the_header_checksum = 29
    png[first_byte_of_the_header_checksum] ^= 1
    return bytes(png)


def header_only(width: int, height: int) -> bytes:
    fields = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + fields
    length, checksum = (
        struct.pack(">I", len(fields)),
        struct.pack(">I", zlib.crc32(chunk)),
    )
    return b"\x89PNG\r\n\x1a\n" + length + chunk + checksum


def scene() -> bytes:
    """Overlapping ellipses of all sizes."""
    image = Image.new("L", (200, 200), 90)
    random = np.random.default_rng(1)
    for size in np.geomspace(120, 10, 40):
        x, y = random.uniform(-20, 200, 2)
        box = (x, y, x + size, y + size / 2)
        ImageDraw.Draw(image).ellipse(box, fill=int(random.integers(256)))
    return to_bytes(image)


def scribble() -> bytes:
    """A black star on white: ink, but no digit."""
    image = Image.new("L", (200, 200), 255)
    lines = [
        (20, 20, 180, 180),
        (20, 180, 180, 20),
        (100, 20, 100, 180),
        (20, 100, 180, 100),
    ]
    for line in lines:
        ImageDraw.Draw(image).line(line, width=8)
    return to_bytes(image)


BAD_IMAGES = [
    pytest.param(lambda: b"", 400, id="empty"),
    pytest.param(lambda: b"eight", 400, id="text"),
    pytest.param(lambda: blank(28, "JPEG"), 400, id="jpeg"),
    pytest.param(lambda: example(8)[:100], 400, id="truncated"),
    pytest.param(wrong_checksum, 400, id="wrong-checksum"),
    pytest.param(lambda: blank(1), 422, id="one-pixel"),
    pytest.param(lambda: blank(28), 422, id="blank"),
    pytest.param(lambda: header_only(20000, 20000), 413, id="20000x20000"),
    pytest.param(lambda: example(8) + bytes(2 << 20), 413, id="2-MB"),
]


def npz_bytes(**members: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **members)
    return buffer.getvalue()


def arrays(count: int = 8, side: int = 28, top_label: int = 9) -> dict[str, Any]:
    labels = np.linspace(0, top_label, count).astype(np.uint8)
    images = np.zeros((count, side, side), np.uint8)
    return {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}


def pickled() -> bytes:
    return npz_bytes(**arrays() | {"y_test": np.array([{}] * 8, object)})


def mismatched() -> bytes:
    return npz_bytes(**arrays() | {"y_train": np.zeros(7, np.uint8)})


def zip_bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(f"{name}.npy", bytes(50 << 20))
    return buffer.getvalue()


BAD_UPLOADS = [
    ("pickled", pickled),
    ("odd_size", lambda: npz_bytes(**arrays(side=27))),
    ("twelve_labels", lambda: npz_bytes(**arrays(count=12, top_label=11))),
    ("mismatched", mismatched),
    ("bomb", zip_bomb),
    ("not_a_zip", lambda: b"not a zip"),
]
