"""PNG bytes to shades of grey. Anyone may have sent the bytes, so nothing in them is trusted."""

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

# Within these limits, reading the worst PNG takes 180 MiB: 4096 x 4096 pixels of 4 bytes
# are 64 MiB.
MAX_BYTES = 1 << 20
MAX_SIDE = 4096

# The grey level that divides dark from light.
_MIDDLE = 128

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_IEND = b"\0\0\0\0IEND\xaeB`\x82"
# An IHDR chunk, without its length, name and checksum.
_HEADER = struct.Struct(">8xIIBBBBB4x")
# A chunk's length, name and checksum have 4 bytes each.
_CHUNK_OVERHEAD = 12
# By colour type, the bit depths and the chunks between IHDR and IDAT that the specification
# allows: https://www.w3.org/TR/png-3/#11IHDR
_DEPTHS = {
    0: (1, 2, 4, 8, 16),  # grey
    2: (8, 16),  # RGB
    3: (1, 2, 4, 8),  # palette
    4: (8, 16),  # grey with alpha
    6: (8, 16),  # RGB with alpha
}
_BEFORE_DATA = {
    0: b"(tRNS)?",
    2: b"(PLTE)?(tRNS)?",
    3: b"PLTE(tRNS)?",
    4: b"",
    6: b"(PLTE)?",
}


def decode(data: bytes) -> Pixels:
    """Decode a PNG to shades of grey. An animated PNG gives its default image.

    Transparent parts become the backdrop against which the rest can be seen.

    Returns:
        (height, width) uint8, 0 is black. May be read-only.

    Raises:
        InvalidImageError: the bytes are not a whole, undamaged PNG.
        ImageTooLargeError: more bytes than `MAX_BYTES`; or, by the header, more than
            `MAX_SIDE` pixels per side, and then nothing was decoded.
    """
    if len(data) > MAX_BYTES:
        raise too_many_bytes(len(data))
    if not data.startswith(_SIGNATURE):
        raise InvalidImageError(
            "This is not a PNG: the first 8 bytes are not a PNG's signature. Send a PNG."
        )
    essential, depth = _strip(data)
    try:
        # Not `Image.open`, which imports the readers of four other formats first.
        image = PngImageFile(io.BytesIO(essential))
        image.load()
        return _to_grey(image, depth)
    except (OSError, SyntaxError, ValueError) as error:
        raise _damaged(f"its pixels cannot be decoded ({error})") from error


def too_many_bytes(count: int) -> ImageTooLargeError:
    """The error about a PNG of more than `MAX_BYTES`."""
    size, limit = mebibytes(count), mebibytes(MAX_BYTES)
    return ImageTooLargeError(
        f"The PNG has {size}, and the limit is {limit}. Send a smaller PNG."
    )


def _damaged(reason: str) -> InvalidImageError:
    return InvalidImageError(f"The PNG is damaged: {reason}. Send an undamaged PNG.")


def _strip(data: bytes) -> tuple[bytes, int]:
    """The PNG with only the chunks that make the pixels, and its bit depth.

    Texts, colour profiles and animations are left out, because they may be
    decompression bombs.
    """
    chunks = _chunks(data)
    header = next(chunks, b"")
    depth, colour_type = _read_header(header)
    kept = [chunk for chunk in chunks if _makes_pixels(chunk)]
    names = b"".join(chunk[4:8] for chunk in kept)
    order = _BEFORE_DATA[colour_type] + b"(IDAT)+IEND"
    if not (re.fullmatch(order, names) and data.endswith(_IEND)):
        raise _damaged("a chunk is missing, unknown, repeated or out of order")
    return b"".join([_SIGNATURE, header, *kept]), depth


def _makes_pixels(chunk: bytes) -> bool:
    """Whether a chunk is critical, by the case of its name's first letter, or transparency."""
    return not chunk[4:5].islower() or chunk[4:8] == b"tRNS"


def _chunks(data: bytes) -> Iterator[bytes]:
    """The chunks, each with its length, name, body and checksum.

    All checksums are verified, because Pillow skips some.
    """
    start = len(_SIGNATURE)
    while start < len(data):
        body_size = int.from_bytes(data[start : start + 4])
        stop = start + _CHUNK_OVERHEAD + body_size
        if stop > len(data):
            raise _damaged("its end is cut off")
        chunk = data[start:stop]
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
            raise _damaged(f"the chunk {chunk[4:8]!r} has a wrong checksum")
        yield chunk
        start = stop


def _read_header(chunk: bytes) -> tuple[int, int]:
    """The bit depth and the colour type of an IHDR chunk with legal values."""
    if chunk[4:8] != b"IHDR" or len(chunk) != _HEADER.size:
        raise _damaged(f"its first chunk is {chunk[4:8]!r}, not an IHDR of 13 bytes")
    width, height, depth, colour_type, *methods, interlace = _HEADER.unpack(chunk)
    is_legal_depth = depth in _DEPTHS.get(colour_type, ())
    # The only method of compression and of filtering is 0. Interlacing is 0 or 1.
    if not (is_legal_depth and width and height) or any(methods) or interlace > 1:
        raise _damaged(f"its IHDR has illegal values ({chunk[8:21].hex(' ')})")
    if max(width, height) > MAX_SIDE:
        raise ImageTooLargeError(
            f"The PNG has {width} x {height} pixels, and the limit is {MAX_SIDE} per side. "
            "Send a smaller PNG."
        )
    return depth, colour_type


def _to_grey(image: Image.Image, depth: int) -> Pixels:
    grey, alpha = _split(image, depth)
    return np.asarray(grey) if alpha is None else _flatten(grey, alpha)


def _split(image: Image.Image, depth: int) -> tuple[Image.Image, Image.Image | None]:
    """A loaded image of `depth` bits per sample as 8-bit grey, and its 8-bit alpha if any."""
    transparent = image.info.get("transparency")
    if image.mode == "I;16":
        return _split_16_bit_grey(image, transparent)
    # Pillow reduces the samples to 8 bits, of 16 bits the upper ones. The transparent
    # colour stays as the file has it, and is reduced here.
    if transparent is not None:
        if image.mode == "L":
            image.info["transparency"] = transparent * 255 // (2**depth - 1)
        elif image.mode == "RGB":
            reduced = tuple(level >> depth - 8 for level in transparent)
            image.info["transparency"] = reduced
    if image.has_transparency_data:
        grey, alpha = image.convert("LA").split()
        return grey, alpha
    # A conversion to the same mode is a copy.
    return image if image.mode == "L" else image.convert("L"), None


def _split_16_bit_grey(
    image: Image.Image, transparent: int | None
) -> tuple[Image.Image, Image.Image | None]:
    """The same for 16-bit grey, where Pillow would make white of every level over 255."""
    samples = np.asarray(image)
    grey = Image.fromarray((samples >> 8).astype(np.uint8))
    if transparent is None:
        return grey, None
    return grey, Image.fromarray((samples != transparent) * np.uint8(255))


def _flatten(grey: Image.Image, alpha: Image.Image) -> Pixels:
    """Lay the image on black or on white, whichever shows the ink."""
    opacity = np.asarray(alpha)
    opaque = np.asarray(grey)[opacity >= int(opacity.max()) // 2]
    is_dark = opaque.mean() < _MIDDLE
    # A page with transparent margins has ink and background, and the background goes on in
    # the margins. Otherwise the opaque part is the ink.
    is_page = opaque.size > opacity.size / 2 and np.ptp(opaque) >= _MIDDLE
    backdrop = 255 if is_dark != is_page else 0
    flat = Image.new("L", grey.size, backdrop)
    flat.paste(grey, mask=alpha)
    return np.asarray(flat)
