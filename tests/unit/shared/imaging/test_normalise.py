"""Any image of a digit becomes 28x28 pixels in the form of MNIST."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from digits.arrays import Pixels
from digits.digit import SIDE
from digits.errors import NotADigitError
from digits.imaging.normalise import BOX, CENTRE, normalise, read_digit

PROJECT = Path(__file__).parents[4]
DIGITS: Pixels = np.load(PROJECT / "data" / "starter.npz")["x_test"][:50]
SEVEN = np.asarray(Image.open(PROJECT / "example" / "7.png"))


@pytest.mark.parametrize("member", ["x_train", "x_test"])
def test_every_image_of_mnist_passes_unchanged(digits_npz: Path, member: str) -> None:
    with np.load(digits_npz) as npz:
        assert all(normalise(image) is image for image in npz[member])


@pytest.mark.parametrize("digit", range(10))
def test_examples_pass_unchanged(digit: int) -> None:
    path = PROJECT / "example" / f"{digit}.png"
    assert np.array_equal(read_digit(path.read_bytes()), np.asarray(Image.open(path)))


def blocky(digit: Pixels) -> Image.Image:
    return Image.fromarray(digit.repeat(10, axis=0).repeat(10, axis=1))


def smooth(digit: Pixels, side: int = 280) -> Image.Image:
    return Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)


def page(
    picture: Image.Image, size: tuple[int, int], corner: tuple[int, int]
) -> Image.Image:
    canvas = Image.new("L", size)
    canvas.paste(picture, corner)
    return canvas


def black_on_transparent(digit: Pixels) -> Image.Image:
    return Image.merge("LA", [Image.new("L", (280, 280)), blocky(digit)])


def blue_on_yellow(digit: Pixels) -> Image.Image:
    mask = page(smooth(digit), (500, 300), (210, 10))
    return Image.composite(
        Image.new("RGB", mask.size, "navy"),
        Image.new("RGB", mask.size, "lightyellow"),
        mask,
    )


def inverted(picture: Image.Image) -> Image.Image:
    return picture.point(lambda shade: 255 - shade)


@pytest.mark.parametrize(
    ("draw", "bound"),
    [
        pytest.param(blocky, 1.5, id="tenfold"),
        pytest.param(smooth, 8, id="tenfold and smooth"),
        pytest.param(lambda digit: smooth(digit, 93), 10, id="of an odd size"),
        pytest.param(lambda digit: smooth(digit, 14), 20, id="half as large"),
        pytest.param(
            lambda digit: page(Image.fromarray(digit), (60, 30), (31, 1)),
            0.5,
            id="in a corner",
        ),
        pytest.param(
            lambda digit: Image.fromarray(255 - digit), 0.5, id="dark on light"
        ),
        pytest.param(
            lambda digit: inverted(page(blocky(digit), (500, 900), (9, 600))),
            5,
            id="on a sheet",
        ),
        pytest.param(
            lambda digit: blocky(digit).point(lambda shade: 200 - shade // 8),
            3,
            id="faint pencil",
        ),
        pytest.param(
            lambda digit: smooth(digit).convert("1", dither=Image.Dither.NONE),
            8,
            id="bilevel",
        ),
        pytest.param(black_on_transparent, 1.5, id="black on transparent"),
        pytest.param(blue_on_yellow, 8, id="blue on yellow"),
    ],
)
def test_equal_digits_in_different_drawings_normalise_alike(
    draw: Callable[[Pixels], Image.Image], bound: float
) -> None:
    digits = [read_png(draw(digit)) for digit in DIGITS]
    # For comparison: a shift by one pixel changes a digit by 16 grey levels in the mean,
    # and two digits differ by 44.
    difference = np.abs(np.subtract(digits, DIGITS, dtype=float))
    assert difference.mean() < bound


def read_png(picture: Image.Image) -> Pixels:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return read_digit(buffer.getvalue())


@given(
    left=st.integers(1, 300),
    top=st.integers(1, 300),
    right=st.integers(1, 300),
    bottom=st.integers(1, 300),
    is_dark=st.booleans(),
)
@example(left=22, top=47, right=43, bottom=12, is_dark=False)
def test_position_and_polarity_do_not_matter(
    left: int,
    top: int,
    right: int,
    bottom: int,
    is_dark: bool,  # noqa: FBT001
) -> None:
    picture = np.pad(SEVEN, ((top, bottom), (left, right)))
    if is_dark:
        picture = 255 - picture
    expected = normalise(np.pad(SEVEN, 1))
    difference = np.abs(np.subtract(normalise(picture), expected, dtype=int))
    # A value between two levels may be rounded either way.
    assert difference.max() <= 1


@pytest.mark.parametrize("shape", [(300, 30), (30, 300), (4000, 1), (1, 4000)])
def test_the_aspect_ratio_is_kept(shape: tuple[int, int]) -> None:
    bar = normalise(np.pad(np.full(shape, 255, np.uint8), 10))
    height, width = shape
    rows, columns = bar.nonzero()
    assert np.ptp(rows) + 1 == max(1, BOX * height // max(shape))
    assert np.ptp(columns) + 1 == max(1, BOX * width // max(shape))


def test_a_thin_stroke_in_a_large_image_does_not_fade() -> None:
    drawing = np.full((4000, 4000), 255, np.uint8)
    drawing[100:3900, [100, 3899]] = drawing[[100, 3899], 100:3900] = 0
    digit = normalise(drawing)
    square = digit[digit.any(axis=1)][:, digit.any(axis=0)]
    assert square.shape == (BOX, BOX)
    assert min(square[[0, -1]].min(), square[:, [0, -1]].min()) > 120
    assert not square[1:-1, 1:-1].any()


def test_the_centre_of_mass_is_in_the_middle() -> None:
    flag = np.zeros((200, 200), np.uint8)
    flag[20:180, 20:30] = flag[20:50, 20:60] = 255
    digit = normalise(flag).astype(float)
    y, x = np.indices(digit.shape)
    centre = np.average(x, weights=digit), np.average(y, weights=digit)
    assert centre == pytest.approx((CENTRE, CENTRE), abs=0.5)


@pytest.mark.parametrize("shade", [0, 1, 127, 128, 254, 255])
@pytest.mark.parametrize("size", [(1, 1), (28, 28), (1, 500), (1000, 700)])
def test_a_blank_image_is_not_a_digit(size: tuple[int, int], shade: int) -> None:
    with pytest.raises(NotADigitError, match="blank"):
        read_png(Image.new("L", size, shade))
    with pytest.raises(NotADigitError, match="blank"):
        read_png(Image.new("RGBA", size, (shade, shade, shade, 0)))


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=60)))
def test_any_pixels_become_a_digit_or_are_refused(grey: Pixels) -> None:
    try:
        digit = normalise(grey)
    except NotADigitError:
        return
    assert digit.shape == (SIDE, SIDE)
    assert (digit.dtype.name, digit.max()) == ("uint8", 255)
    assert all(np.ptp(axis) < BOX for axis in digit.nonzero())


def light_and_dark_parts() -> Pixels:
    picture = np.full((120, 120), 128, np.uint8)
    picture[20:60, 20:40] = 255
    picture[70:110, 60:100] = 0
    return picture


def noise() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (90, 90)).astype(np.uint8)


@pytest.mark.parametrize("picture", [light_and_dark_parts(), noise()])
def test_other_pictures_are_refused_with_a_guess(picture: Pixels) -> None:
    with pytest.raises(NotADigitError, match="lighter and darker parts") as refused:
        normalise(picture)
    guess = refused.value.guess
    assert guess is not None
    assert (guess.shape, guess.max()) == ((SIDE, SIDE), 255)
