"""A PNG writer for what Pillow does not write: 2 and 4 bits, 16-bit colour, interlacing, and chunks that are wrong."""

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
    return (
        struct.pack(">I", len(body))
        + name
        + body
        + struct.pack(">I", zlib.crc32(name + body))
    )


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
    bits = (
        samples.reshape(*samples.shape[:2], -1, 1) >> np.arange(depth - 1, -1, -1) & 1
    )
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
    layers = {
        GREY: [grey],
        PALETTE: [grey],
        RGB: [grey] * 3,
        GREY_ALPHA: [grey],
        RGBA: [grey] * 3,
    }[colour]
    if colour in (GREY_ALPHA, RGBA):
        layers = [*layers, np.full_like(grey, top)]
    ramp = (
        b"".join(bytes([shade * 255 // top] * 3) for shade in range(top + 1))
        if colour == PALETTE
        else b""
    )
    before = chunk(b"PLTE", ramp) if ramp else b""
    return write_png(
        np.stack(layers, axis=-1), depth, colour, interlaced=interlaced, before=before
    )
