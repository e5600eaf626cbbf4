"""Bytes that are not a PNG, damaged PNGs and large PNGs are refused with the right error."""

import io
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from digits.errors import ImageTooLargeError, InvalidImageError, NotADigitError
from digits.imaging.normalise import read_digit
from digits.imaging.png import MAX_BYTES, MAX_SIDE, decode
from tests.unit.shared.imaging.png_writer import (
    FORMATS,
    GREY,
    PALETTE,
    RGB,
    RGBA,
    SIGNATURE,
    assemble,
    chunk,
    header,
    scanlines,
)

EXAMPLE = Path(__file__).parents[4] / "example" / "8.png"
DIGIT = np.asarray(Image.open(EXAMPLE))


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(DIGIT).save(buffer, "JPEG")
    return buffer.getvalue()


IHDR, IEND = header(28, 28), chunk(b"IEND")
IDAT = chunk(b"IDAT", zlib.compress(scanlines(DIGIT[..., np.newaxis], 8)))
PLTE, TRNS, TEXT = (
    chunk(b"PLTE", bytes(6)),
    chunk(b"tRNS", bytes(2)),
    chunk(b"tEXt", b"a\0b"),
)
INDEXED = header(28, 28, 8, PALETTE)
BROKEN = {
    "empty": b"",
    "text": b"not an image",
    "JPEG": jpeg(),
    "signature only": SIGNATURE,
    "signature of another line end": SIGNATURE.replace(b"\r\n", b"\n")
    + IHDR
    + IDAT
    + IEND,
    "header only": assemble(IHDR),
    "no data": assemble(IHDR, IEND),
    "no end": assemble(IHDR, IDAT),
    "something after the end": assemble(IHDR, IDAT, IEND, b"\n"),
    "chunk after the end": assemble(IHDR, IDAT, IEND, TEXT),
    "end with a body": assemble(IHDR, IDAT, chunk(b"IEND", b"?")),
    "header not first": assemble(TEXT, IHDR, IDAT, IEND),
    "two headers": assemble(IHDR, IHDR, IDAT, IEND),
    "short header": assemble(chunk(b"IHDR", bytes(12)), IDAT, IEND),
    "two palettes": assemble(INDEXED, PLTE, PLTE, IDAT, IEND),
    "no palette": assemble(INDEXED, IDAT, IEND),
    "palette in grey": assemble(IHDR, PLTE, IDAT, IEND),
    "palette of 257 colours": assemble(
        INDEXED, chunk(b"PLTE", bytes(257 * 3)), IDAT, IEND
    ),
    "alpha for 257 colours": assemble(
        INDEXED, PLTE, chunk(b"tRNS", bytes(257)), IDAT, IEND
    ),
    "transparent colour cut off": assemble(IHDR, chunk(b"tRNS", b"\0"), IDAT, IEND),
    "transparent colour after data": assemble(IHDR, IDAT, TRNS, IEND),
    "transparent colour in RGBA": assemble(header(28, 28, 8, RGBA), TRNS, IDAT, IEND),
    "unknown critical chunk": assemble(IHDR, chunk(b"NEED"), IDAT, IEND),
    "chunk without a name": assemble(IHDR, chunk(bytes(4)), IDAT, IEND),
    "chunk of 4 GiB": assemble(IHDR, b"\xff\xff\xff\xffIDAT" + bytes(8), IEND),
    "data that is not zlib": assemble(IHDR, chunk(b"IDAT", b"?" * 100), IEND),
    "half of the data": assemble(IHDR, chunk(b"IDAT", IDAT[8 : len(IDAT) // 2]), IEND),
    "empty data": assemble(IHDR, chunk(b"IDAT"), IEND),
    "no width": assemble(header(0, 28), IDAT, IEND),
    "no height": assemble(header(28, 0), IDAT, IEND),
    "depth 3": assemble(header(28, 28, 3), IDAT, IEND),
    "RGB of 4 bits": assemble(header(28, 28, 4, RGB), IDAT, IEND),
    "colour type 5": assemble(header(28, 28, 8, 5), IDAT, IEND),
    "unknown compression": assemble(header(28, 28, 8, GREY, 1, 0, 0), IDAT, IEND),
    "unknown filter method": assemble(header(28, 28, 8, GREY, 0, 1, 0), IDAT, IEND),
    "unknown interlacing": assemble(header(28, 28, 8, GREY, 0, 0, 2), IDAT, IEND),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_png_is_refused(data: bytes) -> None:
    with pytest.raises(
        InvalidImageError, match=r"^(This is not a|The) PNG.*: .*\. Send .*PNG\.$"
    ):
        read_digit(data)


def test_a_png_that_is_cut_off_anywhere_is_refused() -> None:
    data = EXAMPLE.read_bytes()
    for length in range(len(data)):
        with pytest.raises(InvalidImageError):
            read_digit(data[:length])


@pytest.mark.parametrize("position", range(5))
def test_a_wrong_checksum_in_any_chunk_is_refused(position: int) -> None:
    chunks = [INDEXED, PLTE, TEXT, IDAT, IEND]
    assert decode(assemble(*chunks)).shape == (28, 28)
    chunks[position] = chunks[position][:-1] + bytes([chunks[position][-1] ^ 1])
    with pytest.raises(
        InvalidImageError, match="wrong checksum" if position < 4 else "."
    ):
        read_digit(assemble(*chunks))


@pytest.mark.parametrize(
    "sides", [(MAX_SIDE + 1, 1), (1, MAX_SIDE + 1), (20_000, 20_000), (2**31, 2**31)]
)
def test_too_many_pixels_are_refused_by_the_header_alone(
    sides: tuple[int, int],
) -> None:
    with pytest.raises(ImageTooLargeError, match=re.escape("{} x {}".format(*sides))):
        read_digit(assemble(header(*sides)))


def test_too_many_bytes_are_refused() -> None:
    padding = chunk(b"tEXt", bytes(MAX_BYTES - len(assemble(IHDR, IDAT, IEND)) - 12))
    data = assemble(IHDR, padding, IDAT, IEND)
    assert len(data) == MAX_BYTES
    assert np.array_equal(read_digit(data), DIGIT)
    with pytest.raises(
        ImageTooLargeError, match=r"has 1\.01 MiB, and the limit is 1 MiB"
    ):
        read_digit(data + b"?")


def outcome(data: bytes) -> str:
    """The slug of an expected error, or `digit`. An unexpected error fails the test."""
    try:
        digit = read_digit(data)
    except (InvalidImageError, ImageTooLargeError, NotADigitError) as error:
        return error.slug
    assert digit.shape == (28, 28)
    assert digit.dtype == np.uint8
    return "digit"


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert outcome(data) == "invalid-image"
    assert outcome(SIGNATURE + data) == "invalid-image"


@given(position=st.integers(0, EXAMPLE.stat().st_size - 1), value=st.integers(0, 255))
def test_a_changed_byte_is_noticed(position: int, value: int) -> None:
    data = bytearray(EXAMPLE.read_bytes())
    is_changed = data[position] != value
    data[position] = value
    assert outcome(bytes(data)) == ("invalid-image" if is_changed else "digit")


@settings(max_examples=500)
@given(data=st.data())
def test_damage_behind_right_checksums_is_read_or_refused(data: st.DataObject) -> None:
    colour, depth = data.draw(st.sampled_from(FORMATS))
    width, height = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    samples = st.binary(max_size=4000) | st.integers(1, 20_000).map(bytes)
    packed = bytearray(zlib.compress(data.draw(samples)))
    for position in data.draw(st.lists(st.integers(0, len(packed) - 1), max_size=3)):
        packed[position] ^= data.draw(st.integers(1, 255))
    ihdr = header(width, height, depth, colour, 0, 0, data.draw(st.integers(0, 1)))
    chunks = [ihdr]
    if data.draw(st.booleans()):
        chunks.append(chunk(b"PLTE", data.draw(st.binary(max_size=800))))
    if data.draw(st.booleans()):
        chunks.append(chunk(b"tRNS", data.draw(st.binary(max_size=300))))
    kept = data.draw(st.integers(1, 5000))
    outcome(assemble(*chunks, chunk(b"IDAT", bytes(packed[:kept])), IEND))
