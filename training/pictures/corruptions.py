"""Digits damaged in the fifteen ways of MNIST-C, at five severities each.

After Mu and Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision", 2019,
written from the paper's descriptions. Noise, brightness and fog are as severe as where
the paper takes them from (Hendrycks and Dietterich, "Benchmarking Neural Network
Robustness to Common Corruptions and Perturbations", 2019). The other severities are
ours, from what is hardly seen to what a person still reads, if with an effort.
"""

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from digits.arrays import Floats, Pixels
from digits.digit import SIDE

SEVERITIES = range(1, 6)

Corruption = Callable[[Floats, int, np.random.Generator], Floats]

_ROWS, _COLUMNS = np.indices((SIDE, SIDE))
_MIDDLE = (SIDE - 1) / 2
# The slope that an edge has at least, and twice that somewhere along it.
_WEAKEST = 0.1


def corrupt(
    name: str, digit: Pixels, severity: int, rng: np.random.Generator
) -> Pixels:
    """Damage a digit.

    Args:
        name: one of `CORRUPTIONS`.
        digit: (28, 28) uint8, light ink on 0.
        severity: one of `SEVERITIES`.
        rng: all that is left to chance.

    Returns:
        (28, 28) uint8.
    """
    damaged = CORRUPTIONS[name](
        digit.astype(np.float32) / np.float32(255), severity, rng
    )
    pixels: Pixels = (damaged.clip(0, 1) * 255).round().astype(np.uint8)
    return pixels


def _shot_noise(digit: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """A sensor that counts few photons."""
    photons = (60, 25, 12, 5, 3)[severity - 1]
    return (rng.poisson(digit * photons) / photons).astype(np.float32)


def _impulse_noise(digit: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Salt and pepper."""
    share = (0.03, 0.06, 0.09, 0.17, 0.27)[severity - 1]
    return np.where(
        rng.random(digit.shape) < share, rng.integers(2, size=digit.shape), digit
    ).astype(np.float32)


def _glass_blur(digit: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Pixels that have changed places with others near by."""
    sigma, share, times = (
        (0.3, 0.4, 1),
        (0.4, 0.7, 1),
        (0.5, 1.0, 1),
        (0.6, 1.0, 2),
        (0.8, 1.0, 3),
    )[severity - 1]
    seen = _blur(digit, sigma)
    for _ in range(times):
        steps = rng.integers(-1, 1, (2, *digit.shape), endpoint=True) * (
            rng.random(digit.shape) < share
        )
        rows, columns = (
            np.clip(places + by, 0, SIDE - 1)
            for places, by in zip((_ROWS, _COLUMNS), steps, strict=True)
        )
        seen = seen[rows, columns]
    return _blur(seen, sigma)


def _motion_blur(digit: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """A camera that moved along a line."""
    length, angle = 1 + severity, rng.uniform(-math.pi / 4, math.pi / 4)
    along = np.linspace(-length / 2, length / 2, 4 * length + 1)
    seen = [
        _affine(digit, np.eye(2), (math.sin(angle) * step, math.cos(angle) * step))
        for step in along
    ]
    return np.mean(seen, axis=0)  # type: ignore[no-any-return]


def _shear(digit: Floats, severity: int, rng: np.random.Generator) -> Floats:
    return _affine(
        digit, np.array([[1, 0], [rng.choice([-1, 1]) * 0.12 * severity, 1]])
    )


def _scale(digit: Floats, severity: int, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    return _affine(digit, np.eye(2) / (1 - 0.1 * severity))


def _rotate(digit: Floats, severity: int, rng: np.random.Generator) -> Floats:
    angle = rng.choice([-1, 1]) * math.radians(6 * severity)
    return _affine(
        digit,
        np.array(
            [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
        ),
    )


def _brightness(digit: Floats, severity: int, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    return digit + np.float32(0.1 * severity)


def _translate(digit: Floats, severity: int, rng: np.random.Generator) -> Floats:
    return _affine(digit, np.eye(2), tuple((1 + severity) * rng.choice([-1, 1], 2)))


def _stripe(digit: Floats, severity: int, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    """Inverted along a vertical stripe in the middle."""
    inverted: Floats = np.where(np.abs(_COLUMNS - _MIDDLE) < severity, 1 - digit, digit)
    return inverted


def _fog(digit: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Clouds by the diamond-square algorithm's spectrum, laid over; the whole as bright as before."""
    strength, decay = ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))[
        severity - 1
    ]
    clouds = _clouds(rng, decay)
    seen: Floats = (digit + strength * clouds) * (
        digit.max() / (digit.max() + strength)
    )
    return seen


def _spatter(digit: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Drops on the lens."""
    level = (1.9, 1.7, 1.5, 1.35, 1.2)[severity - 1]
    drops = _blur(rng.standard_normal(digit.shape).astype(np.float32), 1.0)
    seen: Floats = np.where(drops > level * drops.std(), 0.6, digit)
    return seen


def _dotted_line(digit: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Straight dotted lines across the image."""
    picture = Image.fromarray((digit * 255).astype(np.uint8))
    lines, gap = ((1, 3), (1, 2), (2, 3), (2, 2), (3, 2))[severity - 1]
    for _ in range(lines):
        start, end = _across(rng)
        steps = int(np.hypot(*(end - start))) // gap
        for share in np.linspace(0, 1, steps):
            picture.putpixel(
                [int(place) for place in start + share * (end - start)], 255
            )
    return np.asarray(picture, np.float32) / 255


def _zigzag(digit: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Zigzags across the image."""
    picture = Image.fromarray((digit * 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    shade, lines = ((100, 1), (150, 1), (200, 1), (255, 1), (255, 2))[severity - 1]
    for _ in range(lines):
        start, end = _across(rng)
        shares = np.linspace(0, 1, 13)[:, np.newaxis]
        normal = np.array([start[1] - end[1], end[0] - start[0]]) / np.hypot(
            *(end - start)
        )
        points = (
            start
            + shares * (end - start)
            + 1.5 * np.where(np.arange(13) % 2, 1, -1)[:, np.newaxis] * normal
        )
        draw.line([(float(x), float(y)) for x, y in points], fill=shade)
    return np.asarray(picture, np.float32) / 255


def _across(rng: np.random.Generator) -> Floats:
    """Two places, x and y, on opposite sides of the image."""
    ends = np.array(
        [[0, rng.uniform(0, SIDE - 1)], [SIDE - 1, rng.uniform(0, SIDE - 1)]]
    )
    return ends if rng.integers(2) else ends[:, ::-1]


def _canny_edges(digit: Floats, severity: int, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    """Edges alone (Canny, "A Computational Approach to Edge Detection", 1986), the more smoothed the more severe."""
    soft = np.pad(_blur(digit, 0.4 + 0.2 * severity), 1)
    down, right = (soft[2:, 1:-1] - soft[:-2, 1:-1]), (soft[1:-1, 2:] - soft[1:-1, :-2])
    slope = np.pad(np.hypot(down, right), 1)
    # The neighbours on both sides of each pixel, up and down the slope: one of four directions.
    direction = np.round(np.arctan2(down, right) / (math.pi / 4)).astype(int) % 4
    row_steps, column_steps = (
        np.array([0, 1, 1, 1])[direction],
        np.array([1, 1, 0, -1])[direction],
    )
    rows, columns = _ROWS + 1, _COLUMNS + 1
    here = slope[1:-1, 1:-1]
    crest = (here > slope[rows - row_steps, columns - column_steps]) & (
        here >= slope[rows + row_steps, columns + column_steps]
    )
    weak, strong = crest & (here > _WEAKEST), crest & (here > 2 * _WEAKEST)
    while True:
        framed = np.pad(strong, 1)
        near = np.max(
            [framed[y : y + SIDE, x : x + SIDE] for y in range(3) for x in range(3)],
            axis=0,
        )
        if np.array_equal(strong, weak & near):
            edges: Floats = strong.astype(np.float32)
            return edges
        strong = weak & near


def _blur(digit: Floats, sigma: float) -> Floats:
    """By a normal distribution of `sigma` pixels; what lies outside the image is as its edge."""
    reach = math.ceil(3 * sigma)
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * np.square(offsets / sigma))
    # Row i of the matrix holds what each pixel of a line gives to pixel i.
    matrix = np.zeros((SIDE, SIDE), np.float32)
    np.add.at(
        matrix,
        (_ROWS[:, :1], np.clip(_ROWS[:, :1] + offsets, 0, SIDE - 1)),
        weights / weights.sum(),
    )
    blurred: Floats = matrix @ digit @ matrix.T
    return blurred


def _affine(
    digit: Floats,
    matrix: Floats,
    shift: tuple[float, float] = (0.0, 0.0),
) -> Floats:
    """Each pixel taken from matrix @ (x, y) from the middle, less (y, x) of the shift; interpolated."""
    (a, b), (c, d) = matrix
    y, x = shift
    offset = np.array([_MIDDLE + 0.5] * 2)
    tx, ty = offset - matrix @ offset - (x, y)
    picture = Image.fromarray(digit.astype(np.float32)).transform(
        (SIDE, SIDE),
        Image.Transform.AFFINE,
        (a, b, tx, c, d, ty),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(picture)


def _clouds(rng: np.random.Generator, decay: float) -> Floats:
    """In [0, 1]: midpoints of a net displaced by ever less, less by `decay` at each halving."""
    side = 2
    picture = rng.random((side, side))
    strength = 1.0
    while side < 2 * SIDE:
        side *= 2
        strength /= decay
        picture = np.asarray(
            Image.fromarray(picture.astype(np.float32)).resize(
                (side, side), Image.Resampling.BICUBIC
            )
        )
        picture = picture + strength * rng.uniform(-1, 1, (side, side))
    part = picture[:SIDE, :SIDE] - picture.min()
    clouds: Floats = (part / np.ptp(picture)).astype(np.float32)
    return clouds


CORRUPTIONS: dict[str, Corruption] = {
    "shot noise": _shot_noise,
    "impulse noise": _impulse_noise,
    "glass blur": _glass_blur,
    "motion blur": _motion_blur,
    "shear": _shear,
    "scale": _scale,
    "rotate": _rotate,
    "brightness": _brightness,
    "translate": _translate,
    "stripe": _stripe,
    "fog": _fog,
    "spatter": _spatter,
    "dotted line": _dotted_line,
    "zigzag": _zigzag,
    "canny edges": _canny_edges,
}
