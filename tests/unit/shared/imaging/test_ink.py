"""The ink is what stands out from the background and the noise."""

import numpy as np
import pytest
from PIL import Image

from digits.arrays import Pixels
from digits.errors import NotADigitError
from digits.imaging.ink import isolate
from tests.unit.shared.imaging.drawings import drawing_of, grey_of, text

# The light falls from the left.
A_ONE = grey_of("""
    99998888887777
    99998888887777
    99998822887777
    99998228887777
    99998828887777
    99998828887777
    99998828887777
    99998222287777
    99998888887777
    99998888887777
""")


def test_ink_is_found_in_uneven_light() -> None:
    ink = isolate(A_ONE)
    assert drawing_of(ink.pixels > 0) == text("""
        ..............
        ..............
        ......##......
        .....##.......
        ......#.......
        ......#.......
        ......#.......
        .....####.....
        ..............
        ..............
    """)
    assert drawing_of(ink.crop() > 0) == text("""
        .##.
        ##..
        .#..
        .#..
        .#..
        ####
    """)
    assert ink.is_plausible


def test_light_ink_is_like_dark_ink() -> None:
    dark, light = isolate(A_ONE), isolate(255 - A_ONE)
    assert light.crop() == pytest.approx(dark.crop(), abs=0.1)
    assert (light.box, light.is_plausible) == (dark.box, dark.is_plausible)


def photograph(side: int, noise: float) -> Pixels:
    """A dark bar of a tenth of the side on a sheet that is lit from the left."""
    sheet = np.linspace(220, 160, side) * np.ones((side, 1))
    sheet[side * 3 // 10 : side * 6 // 10, side * 5 // 10 : side * 6 // 10] -= 100
    sheet += np.random.default_rng(0).normal(0, noise, sheet.shape)
    return sheet.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("noise", [0, 5, 15])
@pytest.mark.parametrize("side", [100, 161, 1000])
def test_ink_is_found_in_noise(side: int, noise: float) -> None:
    ink = isolate(photograph(side, noise))
    height, width = ink.crop().shape
    assert height / width == pytest.approx(3, rel=0.2)
    assert ink.is_plausible


def test_the_background_is_zero() -> None:
    ink = isolate(photograph(100, 5)).pixels
    is_ink = np.zeros(ink.shape, np.bool_)
    is_ink[29:61, 49:61] = True
    assert not ink[~is_ink].any()
    assert (ink[31:59, 51:59] > 60).all()


def test_a_large_image_is_reduced() -> None:
    ink = isolate(photograph(4000, 0))
    assert max(ink.pixels.shape) <= 160


def test_a_small_digit_in_a_large_image_keeps_its_detail() -> None:
    sheet = np.full((3000, 3000), 200, np.uint8)
    sheet[1000:1200, 2000:2100] = 50
    assert min(isolate(sheet).crop().shape) > 20


@pytest.mark.parametrize("contrast", [0, 5])
def test_an_image_without_contrast_is_blank(contrast: int) -> None:
    sheet = np.full((50, 50), 200, np.uint8)
    sheet[20:30, 20:30] -= np.uint8(contrast)
    with pytest.raises(NotADigitError, match="blank"):
        isolate(sheet)


def test_noise_is_not_a_digit() -> None:
    noise = np.random.default_rng(0).normal(128, 30, (100, 100))
    assert not isolate(noise.clip(0, 255).astype(np.uint8)).is_plausible


def test_light_and_dark_parts_together_are_not_a_digit() -> None:
    picture = Image.new("L", (100, 100), 128)
    picture.paste(255, (20, 20, 40, 60))
    picture.paste(0, (60, 40, 80, 80))
    assert not isolate(np.asarray(picture)).is_plausible
