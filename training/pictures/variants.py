"""Digits as people send them: drawn on a screen, or written on paper and photographed or scanned."""

from collections.abc import Callable
from math import ceil, radians, tan

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from digits.arrays import Floats, Mask, Pixels
from digits.imaging.png import MAX_BYTES
from training.input import Examples
from training.pictures.serving import encode_png, preprocess_png

# In pixels: how large the images are, and how small the digits on them.
SIDES = 16, 4000
LOWEST = 14

# In degrees.
TURN = 15

# Photographs do not get larger: with the noise of a camera, a PNG within `MAX_BYTES`
# has no more pixels.
_PHOTO_SIDE = 1400
_ENLARGED = 4
# In grey levels: between paper and ink; the least that is seen of a blurred edge; its middle.
_LEAST_CONTRAST = 70
_FAINT = 70
_HALF = 127


def render(kind: str, digit: Pixels, rng: np.random.Generator) -> bytes:
    """Make a digit into an image that someone might send.

    Args:
        kind: one of `KINDS`.
        digit: (28, 28) uint8, light ink on 0, as MNIST has it.
        rng: all that is left to chance; the same state, the same image.

    Returns:
        A PNG within the limits of `digits.imaging.png`.
    """
    paint, longest = KINDS[kind]
    picture = paint(_place(_write(digit, rng), longest, rng), rng)
    while len(data := encode_png(picture)) > MAX_BYTES:
        picture = picture.reduce(2)
    return data


def rendered(count: int, seed: int, examples: Examples) -> Examples:
    """Render some of the examples, each in one of the `KINDS`, and find the digit again.

    Args:
        count: how many.
        seed: the same, the same result.
        examples: what to choose from, at least one.

    Returns:
        At most `count` examples: those that were found again.
    """
    kinds = list(KINDS)
    rngs = np.random.default_rng(seed).spawn(count)
    chosen = [int(rng.integers(len(examples))) for rng in rngs]
    pngs = (
        render(kinds[number % len(kinds)], examples.images[index], rng)
        for number, (index, rng) in enumerate(zip(chosen, rngs, strict=True))
    )
    found = [
        (it.digit, examples.labels[index])
        for index, it in zip(chosen, map(preprocess_png, pngs), strict=True)
        if not it.is_refused
    ]
    images = np.array([digit for digit, _ in found], np.uint8).reshape(
        -1, *examples.images.shape[1:]
    )
    return Examples(images, np.array([label for _, label in found], np.int64))


def _write(digit: Pixels, rng: np.random.Generator) -> Image.Image:
    """The digit's ink with pen of some width, turned and cropped."""
    side = digit.shape[0] * _ENLARGED
    ink = Image.fromarray(np.pad(digit, 4)).resize(
        (side + 8 * _ENLARGED,) * 2, Image.Resampling.BICUBIC
    )
    ink = _PENS[rng.integers(len(_PENS))](ink, rng)
    ink = ink.rotate(rng.uniform(-TURN, TURN), Image.Resampling.BICUBIC, expand=True)
    return ink.crop(ink.point(lambda shade: 255 * (shade > _FAINT)).getbbox())


def _as_it_is(ink: Image.Image, rng: np.random.Generator) -> Image.Image:  # noqa: ARG001
    return ink


def _with_a_fine_pen(ink: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Drawn along the middle of the strokes, from a fortieth to a twelfth of the digit's height wide."""
    line = Image.fromarray(_thin(np.asarray(ink) > _HALF) * np.uint8(255))
    return _widen(line, rng.uniform(0.7, 2.5)).filter(ImageFilter.GaussianBlur(0.7))


def _with_a_marker(ink: Image.Image, rng: np.random.Generator) -> Image.Image:
    return _widen(ink, rng.uniform(0.5, 2))


def _widen(ink: Image.Image, radius: float) -> Image.Image:
    """Dilate by a disc of `radius` pixels."""
    pixels = np.asarray(ink)
    reach = int(np.ceil(radius))
    padded = np.pad(pixels, reach)
    steps = np.arange(-reach, reach + 1)
    cover = np.clip(radius + 0.5 - np.hypot(steps[:, np.newaxis], steps), 0, 1)
    height, width = pixels.shape
    layers = [
        padded[row : row + height, column : column + width] * cover[row, column]
        for row, column in np.argwhere(cover)
    ]
    return Image.fromarray(np.max(layers, axis=0).astype(np.uint8))


def _thin(mask: Mask) -> Mask:
    """Zhang and Suen, "A fast parallel algorithm for thinning digital patterns", 1984."""
    mask = mask.copy()
    changed = True
    while changed:
        changed = False
        for first in (True, False):
            framed = np.pad(mask, 1)
            # The eight neighbours, clockwise from the one above.
            above, _, right, _, below, _, left, _ = around = [
                framed[
                    1 + dy : framed.shape[0] - 1 + dy, 1 + dx : framed.shape[1] - 1 + dx
                ]
                for dy, dx in (
                    (-1, 0),
                    (-1, 1),
                    (0, 1),
                    (1, 1),
                    (1, 0),
                    (1, -1),
                    (0, -1),
                    (-1, -1),
                )
            ]
            count = np.sum(around, axis=0)
            edges = sum(
                (~a & b).astype(int)
                for a, b in zip(around, around[1:] + around[:1], strict=True)
            )
            kept = (
                (above & right & below) | (right & below & left)
                if first
                else (above & right & left) | (above & below & left)
            )
            gone = mask & np.isin(count, range(2, 7)) & (edges == 1) & ~kept
            mask &= ~gone
            changed |= bool(gone.any())
    return mask


def _place(ink: Image.Image, longest: int, rng: np.random.Generator) -> Image.Image:
    """The ink somewhere on a sheet of some size: 0 is paper, 255 ink."""
    side = np.exp(rng.uniform(*np.log((SIDES[0], longest))))
    tallest = max(LOWEST, side * rng.uniform(0.2, 0.95))
    ratio = tallest / max(ink.size)
    width, height = (max(1, round(length * ratio)) for length in ink.size)
    ink = ink.resize((width, height), Image.Resampling.BICUBIC)
    # Enlarged edges are soft, a pen's are not; reduced, a fine line has faded.
    ink = (
        ink.point(lambda shade: round((shade - 128) * ratio + 128))
        if ratio > 1
        else ImageOps.autocontrast(ink)
    )
    across, down = (
        max(round(side * rng.uniform(0.6, 1)), length + 2) for length in ink.size
    )
    sheet = Image.new("L", (across, down))
    sheet.paste(
        ink, (int(rng.integers(1, across - width)), int(rng.integers(1, down - height)))
    )
    return sheet


def _screen(mask: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A drawing program's: any two colours, or black and white."""
    paper, ink = _colours(rng)
    picture = Image.composite(
        Image.new("RGB", mask.size, ink), Image.new("RGB", mask.size, paper), mask
    )
    mode = rng.choice(["RGB", "L", "P", "1", "RGBA", "I;16"])
    if mode == "1":
        return mask.point(
            lambda shade: 255 * ((shade < _FAINT) == (sum(paper) > sum(ink)))
        ).convert("1")
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    if mode == "P":
        return picture.quantize(16)
    return picture.convert(str(mode))


def _transparent(mask: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Ink and nothing else."""
    _, ink = _colours(rng)
    picture = Image.new("RGB", mask.size, ink)
    picture.putalpha(mask)
    return picture if rng.integers(2) else picture.convert("LA")


def _colours(rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Of paper and ink; half are black or white on the other."""
    if rng.integers(2):
        return [(shade,) * 3 for shade in rng.permutation([0, 255]).tolist()]
    while True:
        paper, ink = rng.integers(0, 256, (2, 3))
        if abs((paper - ink) @ (0.299, 0.587, 0.114)) >= _LEAST_CONTRAST:
            return [tuple(paper.tolist()), tuple(ink.tolist())]


def _paper(mask: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A photograph of a sheet."""
    return _photograph(mask, rng)


def _ruled(mask: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A photograph of a ruled or a squared sheet."""
    strength = rng.uniform(0.2, 1)
    lines = _lines(mask.size, rng).point(lambda shade: round(shade * strength))
    return _photograph(ImageChops.lighter(lines, mask), rng)


def _lines(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    sheet = Image.new("L", size)
    draw = ImageDraw.Draw(sheet)
    side = max(size)
    gap = max(side * rng.uniform(0.08, 0.4), 7)
    slant = tan(radians(rng.uniform(-8, 8)))
    width = side * rng.uniform(0.002, 0.008)
    first = rng.uniform(0, gap)
    shade = round(255 * min(width, 1))
    for at in np.arange(first - side, 2 * side, gap).tolist():
        draw.line((0, at, side, at + slant * side), fill=shade, width=ceil(width))
    if rng.integers(2):
        for at in np.arange(first - side, 2 * side, gap).tolist():
            draw.line((at, 0, at - slant * side, side), fill=shade, width=ceil(width))
    return sheet


def _board(mask: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Chalk on a blackboard, photographed."""
    grain = Image.fromarray(rng.integers(100, 256, (64, 64), np.uint8)).resize(
        mask.size, Image.Resampling.BICUBIC
    )
    return ImageChops.invert(_photograph(ImageChops.multiply(mask, grain), rng))


def _scan(mask: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A scanner's: in two to sixteen shades, with specks of dust."""
    picture = mask.point(lambda shade: 255 - shade)
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.poisson(6)):
        x, y = rng.uniform(0, mask.size)
        radius = max(mask.size) * rng.uniform(0, 0.006)
        draw.ellipse((x, y, x + radius, y + radius), fill=int(rng.integers(0, 160)))
    if rng.integers(2):
        return picture.point(lambda shade: 255 * (shade >= 255 - _FAINT)).convert("1")
    dark, light = rng.integers(0, 90), rng.integers(170, 256)
    return picture.point(
        lambda shade: round((dark + (light - dark) * shade / 255) / 17) * 17
    )


def _photograph(ink: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Light falls on a sheet with ink on it, and is seen by a lens and a noisy sensor."""
    # What is small has been large, and lost most of its noise on the way.
    noise = rng.uniform(0, 10) * min(1, max(ink.size) / 150)
    soft = ink.filter(
        ImageFilter.GaussianBlur(
            rng.uniform(0, 0.004) * max(ink.size) + rng.uniform(0, 0.5)
        )
    )
    cover = np.asarray(soft, np.float32) * np.float32(rng.uniform(0.4, 0.95) / 255)
    seen = _light(cover.shape, rng) * (1 - cover)
    seen += rng.standard_normal(cover.shape, np.float32) * np.float32(noise)
    grey = Image.fromarray(seen.clip(0, 255).astype(np.uint8))
    if rng.integers(2):
        return grey
    tint = rng.uniform(0.8, 1, 3)
    return Image.merge(
        "RGB",
        [grey.point(lambda shade, part=part: round(shade * part)) for part in tint],
    )


def _light(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """How bright the blank sheet is at each place, from 0 to 255: brighter on one side, in part in a soft shadow."""
    rows, columns = (np.linspace(-1, 1, length, dtype=np.float32) for length in shape)
    angle, edge = rng.uniform(0, 2 * np.pi, 2)
    slope = np.cos(angle) * rows[:, np.newaxis] + np.sin(angle) * columns
    across = np.cos(edge) * rows[:, np.newaxis] + np.sin(edge) * columns
    shadow = 1 / (
        1 + np.exp((rng.uniform(-1, 1) - across) / np.float32(rng.uniform(0.1, 0.5)))
    )
    light = (
        rng.uniform(150, 250)
        * (1 + rng.uniform(0, 0.35) * slope)
        * (1 - rng.uniform(0, 0.4) * shadow)
    )
    return np.asarray(light, np.float32)


_PENS = [_as_it_is, _with_a_fine_pen, _with_a_marker]
KINDS: dict[
    str, tuple[Callable[[Image.Image, np.random.Generator], Image.Image], int]
] = {
    "screen": (_screen, SIDES[1]),
    "transparent": (_transparent, SIDES[1]),
    "scan": (_scan, SIDES[1]),
    "paper": (_paper, _PHOTO_SIDE),
    "ruled": (_ruled, _PHOTO_SIDE),
    "board": (_board, _PHOTO_SIDE),
}
