"""Screens, scanners, paper and boards: what ink on a sheet looks like in a picture.

Each function takes ink, mode "L", 255 on a background of 0.
"""

from math import ceil, radians, tan

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from digits.arrays import Floats
from training.pictures.handwriting import FAINT

# In grey levels: between the background and the ink on a screen.
_LEAST_CONTRAST = 70
# The shares of red, green and blue in luminance (ITU-R BT.601).
_LUMINANCE = 0.299, 0.587, 0.114
# In grey levels: a scanner's picture has at most 16 shades.
_SHADE_STEP = 17
# In pixels: a picture whose side is below 150 was reduced, and lost noise by that.
_REDUCED_SIDE = 150

Colour = tuple[int, ...]


def draw_on_screen(ink: Image.Image, rng: Generator) -> Image.Image:
    """Draw with a drawing program: in two colours, or black and white."""
    background, foreground = _draw_colours(rng)
    picture = Image.composite(
        Image.new("RGB", ink.size, foreground),
        Image.new("RGB", ink.size, background),
        ink,
    )
    mode = str(rng.choice(["RGB", "L", "P", "1", "RGBA", "I;16"]))
    if mode == "1":
        is_ink = np.asarray(ink) >= FAINT
        is_light_on_dark = sum(background) <= sum(foreground)
        return Image.fromarray(is_ink == is_light_on_dark)
    if mode == "I;16":
        grey = np.asarray(picture.convert("L"))
        return Image.fromarray(grey.astype(np.uint16) * 257)
    if mode == "P":
        return picture.quantize(16)
    return picture.convert(mode)


def draw_transparently(ink: Image.Image, rng: Generator) -> Image.Image:
    """Draw ink on a transparent background."""
    _, foreground = _draw_colours(rng)
    picture = Image.new("RGB", ink.size, foreground)
    picture.putalpha(ink)
    return picture if rng.integers(2) else picture.convert("LA")


def scan(ink: Image.Image, rng: Generator) -> Image.Image:
    """Scan dark ink on white, with specks of dust, in two to sixteen shades."""
    picture = ImageChops.invert(ink)
    draw = ImageDraw.Draw(picture)
    specks = rng.poisson(6)
    for _ in range(specks):
        x, y = rng.uniform(0, ink.size)
        size = max(ink.size) * rng.uniform(0, 0.006)
        draw.ellipse((x, y, x + size, y + size), fill=int(rng.integers(0, 160)))
    if rng.integers(2):
        return Image.fromarray(np.asarray(picture) >= 255 - FAINT)
    dark, light = rng.integers(0, 90), rng.integers(170, 256)
    shades = dark + (light - dark) * np.arange(256) / 255
    coarse = (shades / _SHADE_STEP).round() * _SHADE_STEP
    return picture.point(coarse.astype(int).tolist())


def photograph(ink: Image.Image, rng: Generator) -> Image.Image:
    """Photograph dark ink on a lit sheet, with a lens and a noisy sensor."""
    side = max(ink.size)
    noise = rng.uniform(0, 10) * min(1, side / _REDUCED_SIDE)
    blur = rng.uniform(0, 0.004) * side + rng.uniform(0, 0.5)
    soft = np.asarray(ink.filter(ImageFilter.GaussianBlur(blur)), np.float32)
    darkness = soft * np.float32(rng.uniform(0.4, 0.95) / 255)
    picture = _draw_light(darkness.shape, rng) * (1 - darkness)
    picture += rng.standard_normal(darkness.shape, np.float32) * np.float32(noise)
    grey = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
    if rng.integers(2):
        return grey
    tint = rng.uniform(0.8, 1, 3)
    bands = [_dim(grey, share) for share in tint]
    return Image.merge("RGB", bands)


def photograph_ruled(ink: Image.Image, rng: Generator) -> Image.Image:
    """Photograph ink on a ruled or a squared sheet."""
    strength = rng.uniform(0.2, 1)
    lines = _dim(_draw_lines(ink.size, rng), strength)
    return photograph(ImageChops.lighter(lines, ink), rng)


def photograph_board(ink: Image.Image, rng: Generator) -> Image.Image:
    """Photograph chalk on a blackboard."""
    noise = Image.fromarray(rng.integers(100, 256, (64, 64), np.uint8))
    grain = noise.resize(ink.size, Image.Resampling.BICUBIC)
    chalk = ImageChops.multiply(ink, grain)
    return ImageChops.invert(photograph(chalk, rng))


def _draw_colours(rng: Generator) -> tuple[Colour, Colour]:
    """Draw the colours of the background and of the ink; half are black and white."""
    if rng.integers(2):
        background, ink = rng.permutation([0, 255]).tolist()
        return (background,) * 3, (ink,) * 3
    while True:
        colours = rng.integers(0, 256, (2, 3))
        contrast = (colours[0] - colours[1]) @ _LUMINANCE
        if abs(contrast) >= _LEAST_CONTRAST:
            background, ink = colours.tolist()
            return tuple(background), tuple(ink)


def _draw_lines(size: tuple[int, int], rng: Generator) -> Image.Image:
    """Draw the lines of a ruled sheet, half of the time crossed by others."""
    sheet = Image.new("L", size)
    draw = ImageDraw.Draw(sheet)
    side = max(size)
    gap = max(side * rng.uniform(0.08, 0.4), 7)
    slant = side * tan(radians(rng.uniform(-8, 8)))
    width = side * rng.uniform(0.002, 0.008)
    first = rng.uniform(0, gap)
    # A line that is finer than a pixel is drawn fainter.
    shade = round(255 * min(width, 1))
    is_squared = rng.integers(2)
    for place in np.arange(first - side, 2 * side, gap).tolist():
        line = 0, place, side, place + slant
        draw.line(line, fill=shade, width=ceil(width))
        if is_squared:
            crossing = place, 0, place - slant, side
            draw.line(crossing, fill=shade, width=ceil(width))
    return sheet


def _dim(grey: Image.Image, share: float) -> Image.Image:
    return grey.point(lambda shade: round(shade * share))


def _draw_light(shape: tuple[int, ...], rng: Generator) -> Floats:
    """Draw how bright a sheet is, 0 to 255: brighter on one side, with a soft shadow."""
    height, width = shape
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, np.newaxis]
    columns = np.linspace(-1, 1, width, dtype=np.float32)
    angle, shadow_angle = rng.uniform(0, 2 * np.pi, 2)
    slope = np.cos(angle) * rows + np.sin(angle) * columns
    distance = np.cos(shadow_angle) * rows + np.sin(shadow_angle) * columns
    edge, softness = rng.uniform(-1, 1), np.float32(rng.uniform(0.1, 0.5))
    shadow = 1 / (1 + np.exp((edge - distance) / softness))
    brightness = rng.uniform(150, 250)
    lit = brightness * (1 + rng.uniform(0, 0.35) * slope)
    light: Floats = lit * (1 - rng.uniform(0, 0.4) * shadow)
    return light.astype(np.float32)
