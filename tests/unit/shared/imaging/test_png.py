"""PNG bytes to shades of grey: every kind of PNG."""

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digits.imaging.normalise import read_digit
from digits.imaging.png import decode
from tests.unit.shared.imaging.png_writer import (
    FORMATS,
    GREY,
    GREY_ALPHA,
    PALETTE,
    RGB,
    RGBA,
    Samples,
    assemble,
    chunk,
    encode,
    header,
    scanlines,
    write_png,
)

EXAMPLE = Path(__file__).parents[4] / "example" / "8.png"
DIGIT = np.asarray(Image.open(EXAMPLE))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "depth"), FORMATS)
def test_every_colour_type_and_depth_gives_its_shades(
    colour: int,
    depth: int,
    interlaced: bool,  # noqa: FBT001
) -> None:
    top = 2**depth - 1
    shades = np.rint(DIGIT / 255 * top).astype(np.uint16)
    expected = shades >> 8 if depth == 16 else shades * (255 // top)
    assert np.array_equal(
        decode(encode(shades, depth, colour, interlaced=interlaced)), expected
    )


@pytest.mark.parametrize(
    ("colour", "depth"), [(colour, depth) for colour, depth in FORMATS if depth >= 8]
)
def test_a_digit_of_mnist_is_the_same_in_every_png_format(
    colour: int, depth: int
) -> None:
    shades = DIGIT.astype(np.uint16) * (257 if depth == 16 else 1)
    assert np.array_equal(read_digit(encode(shades, depth, colour)), DIGIT)


def test_sixteen_bit_grey_keeps_its_shades() -> None:
    ramp = np.arange(1 << 16).reshape(256, 256)
    assert np.array_equal(decode(encode(ramp, 16, GREY)), ramp >> 8)


def test_colours_become_their_luma() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]])
    assert decode(write_png(colours, 8, RGB)).tolist() == [
        [76, 150, 29, 255]
    ]  # ITU-R BT.601


def on_transparent(ink: Samples, key: Samples) -> Samples:
    """(8, 8, channels): 4 x 4 pixels of ink in the middle of the transparent colour."""
    samples = np.tile(key, (8, 8, 1))
    samples[2:6, 2:6] = ink
    return samples


@pytest.mark.parametrize(("is_light", "backdrop"), [(False, 255), (True, 0)])
@pytest.mark.parametrize(
    ("colour", "depth"), [(c, d) for c, d in FORMATS if c in (GREY, RGB)]
)
def test_a_transparent_colour_becomes_the_backdrop(
    colour: int,
    depth: int,
    is_light: bool,  # noqa: FBT001
    backdrop: int,
) -> None:
    channels = 3 if colour == RGB else 1
    top = 2**depth - 1
    ink = np.full(channels, top if is_light else 0)
    key = top - ink if depth == 1 else np.full(channels, top * 2 // 3)
    transparency = chunk(b"tRNS", key.astype(">u2").tobytes())
    samples = on_transparent(ink, key)
    grey = decode(write_png(samples, depth, colour, before=transparency))
    assert (grey[0, 0], grey[3, 3]) == (backdrop, 255 - backdrop)


def test_sixteen_bit_grey_is_transparent_only_where_all_bits_agree() -> None:
    samples = on_transparent(np.array([0x4001]), np.array([0x4000]))
    grey = decode(write_png(samples, 16, GREY, before=chunk(b"tRNS", b"\x40\x00")))
    assert (grey[0, 0], grey[3, 3]) == (255, 0x40)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_palette_has_an_alpha_for_each_colour(depth: int) -> None:
    palette = chunk(b"PLTE", bytes([250, 250, 250, 20, 20, 20]))
    alphas = chunk(b"tRNS", b"\x00\x80")
    samples = on_transparent(np.array([1]), np.array([0]))
    grey = decode(write_png(samples, depth, PALETTE, before=palette + alphas))
    assert grey[0, 0] == 255
    assert grey[3, 3] == pytest.approx((20 * 0x80 + 255 * 0x7F) / 255, abs=1)


@pytest.mark.parametrize("colour", [GREY_ALPHA, RGBA])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("shade", "backdrop"), [(0, 255), (255, 0)])
def test_ink_on_transparency_does_not_vanish(
    colour: int, depth: int, shade: int, backdrop: int
) -> None:
    top = 2**depth - 1
    channels = 1 if colour == GREY_ALPHA else 3
    ink = np.array([shade * top // 255] * channels + [top])
    samples = on_transparent(ink, np.zeros(channels + 1, int))
    grey = decode(write_png(samples, depth, colour))
    assert (grey[0, 0], grey[3, 3]) == (backdrop, shade)


def test_the_background_of_a_page_goes_on_in_its_transparent_margins() -> None:
    page = np.zeros((40, 40, 2), int)
    page[4:36, 4:36] = 255
    page[15:25, 18:22, 0] = 0
    is_ink = page[..., 0] < page[..., 1]
    grey = decode(write_png(page, 8, GREY_ALPHA))
    assert np.array_equal(grey == 0, is_ink)


def test_an_animation_shows_its_default_image() -> None:
    buffer, still = io.BytesIO(), Image.fromarray(DIGIT)
    frames = [Image.new("L", (28, 28), shade) for shade in (50, 100)]
    still.save(buffer, "PNG", save_all=True, default_image=True, append_images=frames)
    assert b"fdAT" in buffer.getvalue()
    assert np.array_equal(read_digit(buffer.getvalue()), DIGIT)


@pytest.mark.parametrize(
    "ancillary",
    [
        pytest.param(
            chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100 << 20))), id="text bomb"
        ),
        pytest.param(
            chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(100 << 20))),
            id="profile bomb",
        ),
        pytest.param(chunk(b"acTL", b"\xff" * 8), id="animation without end"),
        pytest.param(chunk(b"gAMA"), id="empty"),
        pytest.param(chunk(b"eXIf", b"?"), id="nonsense"),
    ],
)
def test_ancillary_chunks_are_not_read(ancillary: bytes) -> None:
    data = EXAMPLE.read_bytes()
    assert np.array_equal(read_digit(data[:33] + ancillary + data[33:]), DIGIT)


def test_data_may_come_in_many_pieces() -> None:
    data = zlib.compress(scanlines(DIGIT[..., np.newaxis], 8))
    pieces = b"".join(chunk(b"IDAT", data[i : i + 1]) for i in range(-1, len(data)))
    assert np.array_equal(
        read_digit(assemble(header(28, 28), pieces, chunk(b"IEND"))), DIGIT
    )
