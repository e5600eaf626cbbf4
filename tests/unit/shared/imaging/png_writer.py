"""A PNG writer for what Pillow does not write.

That is 2 and 4 bits, 16-bit colour, interlacing, and chunks that are wrong.
"""

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.integer[Any]]

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
FORMATS = [
    *((GREY, depth) for depth in (1, 2, 4, 8, 16)),
    *((PALETTE, depth) for depth in (1, 2, 4, 8)),
    *((colour, depth) for colour in (RGB, GREY_ALPHA, RGBA) for depth in (8, 16)),
]
SIGNATURE = b"\x89PNG\r\n\x1a\n"
# https://www.w3.org/TR/png-3/#8Interlace: first column and row, steps between columns and rows.
ADAM7 = [
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
]


def chunk(name: bytes, body: bytes = b"") -> bytes:
    length = struct.pack(">I", len(body))
    checksum = struct.pack(">I", zlib.crc32(name + body))
    return length + name + body + checksum


def header(
    width: int, height: int, depth: int = 8, colour: int = GREY, *methods: int
) -> bytes:
    return chunk(
        b"IHDR",
        struct.pack(">IIBBBBB", width, height, depth, colour, *(methods or (0, 0, 0))),
    )


def assemble(*chunks: bytes) -> bytes:
    return SIGNATURE + b"".join(chunks)


def scanlines(samples: Samples, depth: int) -> bytes:
    """(height, width, channels) samples, packed into `depth` bits each, with filter 0."""
    places = np.arange(depth - 1, -1, -1)
    bits = samples[..., np.newaxis] >> places & 1
    rows = np.packbits(bits.reshape(len(samples), -1).astype(np.uint8), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in rows)


def write_png(
    samples: Samples,
    depth: int,
    colour: int,
    *,
    interlaced: bool = False,
    before: bytes = b"",
) -> bytes:
    """A PNG of (height, width, channels) samples, with the chunks `before` before its data."""
    height, width = samples.shape[:2]
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    parts = [samples[y::down, x::right] for x, y, right, down in passes]
    data = zlib.compress(
        b"".join(scanlines(part, depth) for part in parts if part.size)
    )
    ihdr = header(width, height, depth, colour, 0, 0, int(interlaced))
    return SIGNATURE + ihdr + before + chunk(b"IDAT", data) + chunk(b"IEND")


def encode(
    grey: Samples, depth: int, colour: int, *, interlaced: bool = False
) -> bytes:
    """A PNG of (height, width) shades of `depth` bits, opaque."""
    top = 2**depth - 1
    layers = [grey] * (3 if colour in (RGB, RGBA) else 1)
    if colour in (GREY_ALPHA, RGBA):
        layers.append(np.full_like(grey, top))
    palette = b""
    if colour == PALETTE:
        shades = np.arange(top + 1) * 255 // top
        palette = chunk(b"PLTE", shades.astype(np.uint8).repeat(3).tobytes())
    samples = np.stack(layers, axis=-1)
    return write_png(samples, depth, colour, interlaced=interlaced, before=palette)
