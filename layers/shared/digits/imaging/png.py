"""PNG bytes to shades of grey, for bytes that anyone may have sent."""

import io
import re
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from digits.arrays import Pixels
from digits.errors import ImageTooLargeError, InvalidImageError
from digits.sizes import mebibytes

# Within these limits the worst PNG takes 180 MiB while it is read: 4096 x 4096 pixels
# of 4 bytes are 64.
MAX_BYTES = 1 << 20
MAX_SIDE = 4096

# What divides dark from light.
_MIDDLE = 128

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_IEND = b"\0\0\0\0IEND\xaeB`\x82"
_HEADER = struct.Struct(">8xIIBBBBB4x")
# By colour type, the legal bit depths and what may stand between IHDR and IDAT: https://www.w3.org/TR/png-3/#11IHDR
_COLOURS = {
    0: ((1, 2, 4, 8, 16), b"(tRNS)?"),
    2: ((8, 16), b"(PLTE)?(tRNS)?"),
    3: ((1, 2, 4, 8), b"PLTE(tRNS)?"),
    4: ((8, 16), b""),
    6: ((8, 16), b"(PLTE)?"),
}


def decode(data: bytes) -> Pixels:
    """Decode a PNG to shades of grey. An animated one gives its default image.

    Transparent parts become the backdrop against which the rest can be seen.

    Returns:
        (height, width) uint8, 0 is black. May be read-only.

    Raises:
        InvalidImageError: the bytes are not a whole, undamaged PNG.
        ImageTooLargeError: over `MAX_BYTES`, or over `MAX_SIDE` pixels a side by its
            header. Nothing was decoded.
    """
    if len(data) > MAX_BYTES:
        size, limit = mebibytes(len(data)), mebibytes(MAX_BYTES)
        raise ImageTooLargeError(
            f"The PNG has {size}, and the limit is {limit}. Send a smaller one."
        )
    if not data.startswith(_SIGNATURE):
        raise InvalidImageError(
            "Expected a PNG. Received bytes without a PNG's signature."
        )
    essential, depth = _strip(data)
    try:
        # Not `Image.open`, which imports the readers of four other formats first.
        image = PngImageFile(io.BytesIO(essential))
        image.load()
        return _to_grey(image, depth)
    except (OSError, SyntaxError, ValueError) as error:
        raise InvalidImageError(
            f"Expected an undamaged PNG. Received one that cannot be decoded: {error}."
        ) from error


def _strip(data: bytes) -> tuple[bytes, int]:
    """The PNG with only the chunks that pixels are made from, and its bit depth.

    No text, colour profile or animation is left then that could be a bomb.
    """
    chunks = _chunks(data)
    header = next(chunks, b"")
    depth, colour = _read_header(header)
    kept = [
        chunk for chunk in chunks if not chunk[4:5].islower() or chunk[4:8] == b"tRNS"
    ]
    names = b"".join(chunk[4:8] for chunk in kept)
    _, before_data = _COLOURS[colour]
    if not (re.fullmatch(before_data + b"(IDAT)+IEND", names) and data.endswith(_IEND)):
        raise InvalidImageError(
            "Expected IHDR, PLTE, tRNS, IDAT and IEND, as PNG allows them. Received other chunks."
        )
    return b"".join([_SIGNATURE, header, *kept]), depth


def _chunks(data: bytes) -> Iterator[bytes]:
    """The chunks, each with its length, name, body and checksum, which is verified: Pillow skips some."""
    start = len(_SIGNATURE)
    while start < len(data):
        stop = start + 12 + int.from_bytes(data[start : start + 4])
        if stop > len(data):
            raise InvalidImageError(
                "Expected a whole PNG. Received one that is cut off."
            )
        chunk = data[start:stop]
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
            raise InvalidImageError(
                f"Expected an undamaged PNG. Received a wrong checksum in {chunk[4:8]!r}."
            )
        yield chunk
        start = stop


def _read_header(chunk: bytes) -> tuple[int, int]:
    """Bit depth and colour type from IHDR, when all of it is legal."""
    if chunk[4:8] != b"IHDR" or len(chunk) != _HEADER.size:
        raise InvalidImageError(
            f"Expected IHDR as the first chunk, with 13 bytes. Received {chunk[4:8]!r}."
        )
    width, height, depth, colour, *methods, interlace = _HEADER.unpack(chunk)
    depths, _ = _COLOURS.get(colour, ((), b""))
    if depth not in depths or any(methods) or interlace > 1 or not (width and height):
        raise InvalidImageError(
            f"Expected legal values in IHDR. Received {chunk[8:21].hex(' ')}."
        )
    if max(width, height) > MAX_SIDE:
        raise ImageTooLargeError(
            f"Expected at most {MAX_SIDE} pixels a side. Received {width} x {height}."
        )
    return depth, colour


def _to_grey(image: Image.Image, depth: int) -> Pixels:
    grey, alpha = _split(image, depth)
    return np.asarray(grey) if alpha is None else _flatten(grey, alpha)


def _split(image: Image.Image, depth: int) -> tuple[Image.Image, Image.Image | None]:
    """A loaded image of `depth` bits a sample as 8-bit grey, and its 8-bit alpha if it has one."""
    key = image.info.get("transparency")
    if image.mode == "I;16":
        # Pillow's own conversion makes white of all that is over 255.
        samples = np.asarray(image)
        alpha = (
            None if key is None else Image.fromarray((samples != key) * np.uint8(255))
        )
        return Image.fromarray((samples >> 8).astype(np.uint8)), alpha
    # Pillow brings the samples to 8 bits, of 16 the upper ones, and leaves the
    # transparent colour as the file has it.
    if image.mode == "L" and key is not None:
        image.info["transparency"] = key * 255 // (2**depth - 1)
    elif image.mode == "RGB" and key is not None:
        image.info["transparency"] = tuple(level >> depth - 8 for level in key)
    if image.has_transparency_data:
        grey, alpha = image.convert("LA").split()
        return grey, alpha
    return image if image.mode == "L" else image.convert("L"), None


def _flatten(grey: Image.Image, alpha: Image.Image) -> Pixels:
    """Lay the image on black or white, whichever shows its ink."""
    cover = np.asarray(alpha)
    opaque = np.asarray(grey)[cover >= int(cover.max()) // 2]
    is_dark = opaque.mean() < _MIDDLE
    # A page with transparent margins is ink and paper in one, and its paper is what goes on.
    is_page = opaque.size > cover.size / 2 and np.ptp(opaque) >= _MIDDLE
    flat = Image.new("L", grey.size, 255 if is_dark != is_page else 0)
    flat.paste(grey, mask=alpha)
    return np.asarray(flat)
