"""Pictures of no digits: some that a network learns from, others that show whether it has understood.

What a network is to refuse is everything else, of which no collection is large enough;
families of synthetic images, far apart from each other, and squares of a few
photographs stand for it (Hendrycks, Mazeika and Dietterich, "Deep Anomaly Detection
with Outlier Exposure", 2019; Baradad et al., "Learning to See by Looking at Noise",
2021).
"""

import math
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain, repeat
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from digits.arrays import Floats, Pixels
from digits.digit import SIDE
from digits.errors import NotADigitError
from digits.imaging.normalise import normalise
from training.pictures.noise import spectrum

# Sides of the pictures, in pixels, and of what digits are cut into.
_SMALLEST, _LARGEST = 28, 96
_SMALLEST_DETAIL, _LARGEST_CROP = 14, 224
_HALF = SIDE // 2
_ATTEMPTS = 20
# So many corners are a circle.
_ROUND = 30
_LEGS = 2
# A cosine, from which on a line is along an axis.
_ALONG = 0.6
_PHOTOGRAPHS = Path(__file__).with_name("photographs")

Draw = Callable[[np.random.Generator, Pixels], Pixels]


def fitted(count: int, seed: int, digits: Pixels) -> Pixels:
    """Pictures to learn from, equally many of each family of `FITTED`, as the network would see them.

    Args:
        count: how many.
        seed: the same, the same pictures.
        digits: (n, 28, 28) uint8, n at least 1; some pictures are made of pieces of them.

    Returns:
        (count, 28, 28) uint8.
    """
    families = list(FITTED.values())
    pictures = np.empty((count, SIDE, SIDE), np.uint8)
    for index, rng in enumerate(np.random.default_rng(seed).spawn(count)):
        pictures[index] = _seen(families[index % len(families)], rng, digits)
    return pictures


def reported(family: str, count: int, seed: int) -> Iterator[Pixels]:
    """Pictures that no network has learnt from, as someone would send them: grey, of any size."""
    for rng in np.random.default_rng(seed).spawn(count):
        yield REPORTED[family](rng, np.empty((0, SIDE, SIDE), np.uint8))


def _seen(draw: Draw, rng: np.random.Generator, digits: Pixels) -> Pixels:
    # Digits may be such that nothing made of them is let through; noise is, sooner or later.
    for attempt in chain(repeat(draw, _ATTEMPTS), repeat(_clouds)):
        try:
            return normalise(attempt(rng, digits))
        except NotADigitError:
            continue
    raise AssertionError


def _side(rng: np.random.Generator) -> int:
    return int(rng.integers(_SMALLEST, _LARGEST + 1))


def _to_pixels(picture: Floats) -> Pixels:
    """Any numbers as grey values, darkest to lightest; all alike are black."""
    span = np.ptp(picture) or 1
    pixels: Pixels = ((picture - picture.min()) * (255 / span)).round().astype(np.uint8)
    return pixels


def _decay(rng: np.random.Generator) -> float:
    return rng.uniform(0.3, 2.5)


def _clouds(rng: np.random.Generator, digits: Pixels) -> Pixels:  # noqa: ARG001
    """1/f noise, smooth or cut at a level, as a coast or a stain is."""
    picture = spectrum(rng, _side(rng), _decay(rng))
    if rng.integers(2):
        picture = np.maximum(picture, np.quantile(picture, rng.uniform(0.2, 0.9)))
    return _to_pixels(picture)


def _outline(
    rng: np.random.Generator, side: int, largest: float
) -> list[tuple[float, float]]:
    """A polygon around a random place: spiky, or round where it has many corners."""
    corners = int(rng.choice([3, 4, 5, 6, 8, _ROUND]))
    is_round = corners == _ROUND
    angles = (
        np.linspace(0, 2 * np.pi, corners)
        if is_round
        else np.sort(rng.uniform(0, 2 * np.pi, corners))
    )
    radii = (
        side
        * rng.uniform(0.05, largest)
        * (np.ones(corners) if is_round else rng.uniform(0.5, 1, corners))
    )
    x, y = rng.uniform(0.1, 0.9, 2) * side
    squeeze = rng.uniform(0.3, 1)
    return list(
        zip(
            x + radii * np.cos(angles),
            y + squeeze * radii * np.sin(angles),
            strict=True,
        )
    )


def _leaves(rng: np.random.Generator, digits: Pixels) -> Pixels:  # noqa: ARG001
    """Shapes over shapes until nothing is left of the background: dead leaves (Lee, Mumford and Huang, 2001)."""
    side = _side(rng)
    picture = Image.new("L", (side, side), int(rng.integers(256)))
    draw = ImageDraw.Draw(picture)
    for largest in np.geomspace(0.8, 0.1, int(rng.choice([4, 10, 30, 60]))):
        draw.polygon(_outline(rng, side, largest), fill=int(rng.integers(256)))
    soft = np.asarray(
        picture.filter(ImageFilter.GaussianBlur(side / 20 * rng.random() ** 2))
    )
    grain = 40 * rng.random() ** 2 * rng.standard_normal((side, side))
    return np.clip(soft + grain, 0, 255).astype(np.uint8)


def _things(rng: np.random.Generator, digits: Pixels) -> Pixels:  # noqa: ARG001
    """One thing on an even background: a few joined shapes, shaded and patterned."""
    side = _side(rng)
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    for _ in range(int(rng.integers(1, 5))):
        if rng.integers(2):
            draw.polygon(_outline(rng, side, 0.5), fill=255)
        else:
            x, y = rng.uniform(0.2, 0.8, 2) * side
            width, height = rng.uniform(0.1, 0.4, 2) * side
            draw.rectangle((x - width, y - height, x + width, y + height), fill=255)
    shade = _to_pixels(spectrum(rng, side, _decay(rng))) * rng.uniform(0, 0.7)
    thing = (
        np.asarray(mask.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1))))
        / 255
        * (255 - shade)
    )
    return thing.astype(np.uint8)


def _sticks(rng: np.random.Generator, digits: Pixels) -> Pixels:  # noqa: ARG001
    """Tapering straight pieces, some from one place, as legs and frames are; two thick ones, or more of any width."""
    side = _side(rng)
    picture = Image.new("L", (side, side))
    draw = ImageDraw.Draw(picture)
    pieces = int(rng.integers(_LEGS, 7))
    thinnest = 0.1 if pieces == _LEGS else 0.02
    joint = rng.uniform(0.1, 0.9, 2) * side
    for _ in range(pieces):
        start = joint if rng.integers(2) else rng.uniform(0.1, 0.9, 2) * side
        end = rng.uniform(0.1, 0.9, 2) * side
        across = np.array([start[1] - end[1], end[0] - start[0]]) / (
            np.hypot(*(end - start)) + 1
        )
        widths = side * rng.uniform(thinnest, 0.2, 2)
        corners = [
            start + across * widths[0],
            start - across * widths[0],
            end - across * widths[1],
            end + across * widths[1],
        ]
        draw.polygon(
            [(float(x), float(y)) for x, y in corners], fill=int(rng.integers(100, 256))
        )
    return np.asarray(
        picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, side / 40)))
    )


def _slabs(rng: np.random.Generator, digits: Pixels) -> Pixels:  # noqa: ARG001
    """One piece that is too broad for a stroke, tapering; some with a slit from one end, as legs and sleeves leave."""
    side = _side(rng)
    picture = Image.new("L", (side, side))
    draw = ImageDraw.Draw(picture)
    length = 0.45 * side
    first, last = length * rng.uniform(0.3, 0.7, 2)
    middle = side / 2
    right = [(middle + first, middle - length), (middle + last, middle + length)]
    left = [(middle - last, middle + length), (middle - first, middle - length)]
    draw.polygon([*right, *left], fill=int(rng.integers(100, 256)))
    if rng.integers(2):
        gap, top = last * rng.uniform(0.05, 0.5), length * rng.uniform(-0.7, 0.5)
        draw.polygon(
            [
                (middle, middle + top),
                (middle + gap, middle + length),
                (middle - gap, middle + length),
            ],
            fill=int(rng.integers(80)),
        )
    shade = 1 - rng.uniform(0, 0.6) * (
        _to_pixels(spectrum(rng, side, _decay(rng))) / 255
    )
    turned = picture.rotate(
        rng.normal(0, 15) + rng.choice([0, 0, 0, 90]), Image.Resampling.BILINEAR
    )
    return (np.asarray(turned) * shade).astype(np.uint8)


def _strokes(rng: np.random.Generator, digits: Pixels) -> Pixels:  # noqa: ARG001
    """One or two strokes that are no digit: an arc, a corner or a tee but a seven, a line that leans back or lies."""
    side = _side(rng)
    picture = Image.new("L", (side, side))
    draw = ImageDraw.Draw(picture)
    shade, width = (
        int(rng.integers(120, 256)),
        max(1, round(side * rng.uniform(0.02, 0.14))),
    )
    kind = rng.choice(["arc", "corner", "line"])
    if kind == "arc":
        left, top = rng.uniform(0, 0.4, 2) * side
        right, bottom = rng.uniform(0.6, 1, 2) * side
        start = rng.uniform(0, 360)
        draw.arc(
            (left, top, right, bottom),
            start,
            start + rng.uniform(90, 220),
            shade,
            width,
        )
    else:
        # In degrees from the right, downwards.
        first = rng.uniform(0, 60) if kind == "line" else rng.uniform(0, 360)
        second = first + (
            180 if kind == "line" else rng.choice([-1, 1]) * rng.uniform(50, 130)
        )
        while kind == "corner" and _is_seven(first, second):
            first, second = rng.uniform(0, 360, 2)
        joint = np.array(rng.uniform(0.35, 0.65, 2)) * side
        arms = [
            joint + side * rng.uniform(0.2, 0.5) * _toward(angle)
            for angle in (first, second)
        ]
        if kind == "corner" and rng.integers(2):
            arms.append(joint + side * rng.uniform(0.2, 0.5) * _toward(first + 180))
        for arm in arms:
            draw.line([(float(x), float(y)) for x, y in (joint, arm)], shade, width)
    return np.asarray(
        picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, side / 40)))
    )


def _toward(degrees: float) -> Floats:
    return np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])


def _is_seven(first: float, second: float) -> bool:
    """Whether two arms of a corner are like a seven's, one to the left and one down, or lie in one line."""
    (x1, y1), (x2, y2) = _toward(first), _toward(second)
    return bool(
        min(x1, x2) < -_ALONG < _ALONG < max(y1, y2) or abs(x1 * y2 - x2 * y1) < _ALONG
    )


def _curve(rng: np.random.Generator, side: int) -> list[tuple[float, float]]:
    """A Bezier curve through the picture, of up to four control points."""
    points = rng.uniform(0.1, 0.9, (int(rng.integers(2, 5)), 2)) * side
    along = np.linspace(0, 1, 20)[:, None, None]
    while points.shape[-2] > 1:
        points = (1 - along) * points[..., :-1, :] + along * points[..., 1:, :]
    return [(float(x), float(y)) for x, y in points[:, 0]]


def _scribbles(rng: np.random.Generator, digits: Pixels) -> Pixels:  # noqa: ARG001
    """Several strokes of a pen; of fewer than four, one may happen to be a digit."""
    side = _side(rng)
    picture = Image.new("L", (side, side))
    draw = ImageDraw.Draw(picture)
    width = max(1, round(side * rng.uniform(0.03, 0.12)))
    for _ in range(int(rng.integers(4, 9))):
        draw.line(
            _curve(rng, side),
            fill=int(rng.integers(150, 256)),
            width=width,
            joint="curve",
        )
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(width / 6)))


def _bars(rng: np.random.Generator, digits: Pixels) -> Pixels:  # noqa: ARG001
    """Stripes or a grid, soft or hard, of any direction."""
    side = _side(rng)
    across = np.indices((side, side)) - side / 2
    picture = np.zeros((side, side))
    for angle in rng.uniform(0, np.pi) + np.array([0, np.pi / 2])[: rng.integers(1, 3)]:
        wave = np.cos(angle) * across[0] + np.sin(angle) * across[1]
        picture += np.sin(
            2 * np.pi * wave * rng.uniform(2, 8) / side + rng.uniform(0, 2 * np.pi)
        )
    return _to_pixels(np.clip(picture, *np.sort(rng.uniform(-1, 1, 2))))


@cache
def _photographs() -> list[Pixels]:
    return [np.asarray(Image.open(path)) for path in sorted(_PHOTOGRAPHS.glob("*.jpg"))]


def _square(rng: np.random.Generator, smallest: int, largest: int) -> Pixels:
    """Some part of some photograph, turned, and turned over or not."""
    photographs = _photographs()
    photograph = photographs[rng.integers(len(photographs))]
    side = round(math.exp(rng.uniform(math.log(smallest), math.log(largest))))
    top, left = (int(rng.integers(length - side + 1)) for length in photograph.shape)
    square = photograph[top : top + side, left : left + side]
    return np.ascontiguousarray(
        np.rot90(square[:: rng.choice([-1, 1])], int(rng.integers(4)))
    )


def _crops(rng: np.random.Generator, digits: Pixels) -> Pixels:  # noqa: ARG001
    """A square of a photograph."""
    return _square(rng, _SMALLEST, _LARGEST_CROP)


def _details(rng: np.random.Generator, digits: Pixels) -> Pixels:  # noqa: ARG001
    """A small one, enlarged: an edge, a stalk or a highlight, out of focus."""
    small = Image.fromarray(_square(rng, _SMALLEST_DETAIL, _SMALLEST))
    return np.asarray(
        small.resize((2 * _SMALLEST, 2 * _SMALLEST), Image.Resampling.BICUBIC)
    )


def _pieces(rng: np.random.Generator, digits: Pixels) -> Pixels:
    """The quarters of a digit in another order, each turned over."""
    digit = digits[rng.integers(len(digits))]
    quarters = [
        digit[y : y + _HALF, x : x + _HALF] for y in (0, _HALF) for x in (0, _HALF)
    ]
    turned = [
        np.rot90(quarters[i], 2) for i in np.roll(np.arange(4), rng.integers(1, 4))
    ]
    return np.block([turned[:2], turned[2:]])


def _pairs(rng: np.random.Generator, digits: Pixels) -> Pixels:
    """Two or three digits in a row, or one above the other."""
    chosen = digits[rng.integers(len(digits), size=rng.integers(2, 4)), 4:-4, 4:-4]
    return np.concatenate(list(chosen), axis=int(rng.integers(2)))


def _overlaid(rng: np.random.Generator, digits: Pixels) -> Pixels:
    """Three digits on the same place."""
    turns = rng.integers(4, size=3)
    picked = digits[rng.integers(len(digits), size=3)]
    overlaid: Pixels = np.maximum.reduce(
        [np.rot90(digit, turn) for digit, turn in zip(picked, turns, strict=True)]
    )
    return overlaid


def _blank(rng: np.random.Generator, digits: Pixels) -> Pixels:  # noqa: ARG001
    """Paper without anything on it, as a camera sees it."""
    side = int(rng.integers(28, 200))
    return np.clip(
        rng.uniform(0, 255) + rng.uniform(0.3, 8) * rng.standard_normal((side, side)),
        0,
        255,
    ).astype(np.uint8)


def _noise(rng: np.random.Generator, digits: Pixels) -> Pixels:  # noqa: ARG001
    """Each pixel for itself: uniform, normal, or salt and pepper."""
    side = int(rng.integers(28, 200))
    kinds = [
        rng.uniform(0, 255, (side, side)),
        np.clip(rng.normal(128, rng.uniform(20, 80), (side, side)), 0, 255),
        255.0 * (rng.random((side, side)) < rng.uniform(0.02, 0.5)),
    ]
    return kinds[rng.integers(3)].astype(np.uint8)


def _gradient(rng: np.random.Generator, digits: Pixels) -> Pixels:  # noqa: ARG001
    """From dark to light, along a line or around a point."""
    side = int(rng.integers(28, 200))
    rows, columns = np.indices((side, side)) - rng.uniform(0, side, (2, 1, 1))
    angle = rng.uniform(0, 2 * np.pi)
    picture = (
        np.hypot(rows, columns)
        if rng.integers(2)
        else np.cos(angle) * rows + np.sin(angle) * columns
    )
    return (_to_pixels(picture) * rng.uniform(0.3, 1)).astype(np.uint8)


def _letter(rng: np.random.Generator, digits: Pixels) -> Pixels:  # noqa: ARG001
    """A printed letter that resembles no digit."""
    letter = str(rng.choice(list("ACDEFGHJKLMNPQRTUVWXYacdefhkmnprtuvwxy")))
    side = int(rng.integers(32, 120))
    picture = Image.new("L", (side, side), 255)
    font = ImageFont.load_default(side * rng.uniform(0.5, 0.8))
    ImageDraw.Draw(picture).text((side / 2, side / 2), letter, 0, font, anchor="mm")
    return np.asarray(picture)


FITTED: dict[str, Draw] = {
    "clouds": _clouds,
    "leaves": _leaves,
    "things": _things,
    "sticks": _sticks,
    "slabs": _slabs,
    "strokes": _strokes,
    "scribbles": _scribbles,
    "bars": _bars,
    "crops": _crops,
    "details": _details,
    "pieces": _pieces,
    "pairs": _pairs,
    "overlaid": _overlaid,
}
REPORTED: dict[str, Draw] = {
    "blank": _blank,
    "noise": _noise,
    "gradient": _gradient,
    "letters": _letter,
}
