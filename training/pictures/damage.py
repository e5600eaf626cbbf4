"""Digits as they may arrive: crossed out, blotted, in fog, in noise, half inverted; for a network to learn to read.

Made by other means than those of `training.pictures.corruptions`, which measures how
well that works.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from digits.arrays import Floats, Pixels
from digits.digit import SIDE
from digits.errors import NotADigitError
from digits.imaging.normalise import normalise
from training.input import Examples
from training.pictures.noise import power_law_noise

Damage = Callable[[Floats, np.random.Generator], Floats]

_ATTEMPTS = 5


def damaged(count: int, seed: int, examples: Examples) -> Examples:
    """Damage some of the examples, each in one of the ways of this module, and find the digit again.

    Args:
        count: how many.
        seed: the same, the same result.
        examples: what to choose from, at least one.

    Returns:
        `count` examples; a digit that is not found again is returned whole.
    """
    digits = np.empty((count, SIDE, SIDE), np.uint8)
    chosen = np.empty(count, np.int64)
    for index, rng in enumerate(np.random.default_rng(seed).spawn(count)):
        chosen[index] = rng.integers(len(examples))
        digits[index] = _damaged(
            examples.images[chosen[index]], _DAMAGES[index % len(_DAMAGES)], rng
        )
    return Examples(digits, examples.labels[chosen])


def _damaged(digit: Pixels, damage: Damage, rng: np.random.Generator) -> Pixels:
    for _ in range(_ATTEMPTS):
        try:
            return normalise(
                (damage(digit / 255, rng).clip(0, 1) * 255).astype(np.uint8)
            )
        except NotADigitError:
            continue
    return digit


def _crossed(digit: Floats, rng: np.random.Generator) -> Floats:
    """Strokes over it: straight, bent or broken into dashes."""
    picture = Image.new("L", (SIDE, SIDE))
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(1, 4))):
        steps = np.linspace(0, 1, int(rng.integers(2, 20)))[:, np.newaxis]
        start, end = rng.uniform(-0.2, 1.2, (2, 2)) * SIDE
        points = (
            start
            + steps * (end - start)
            + rng.uniform(0, 3) * rng.uniform(-1, 1, (len(steps), 2))
        )
        places = [(float(x), float(y)) for x, y in points]
        shade = int(rng.integers(80, 256))
        if rng.integers(2):
            draw.line(places, fill=shade)
        else:
            draw.point(places, fill=shade)
    return np.maximum(digit, np.asarray(picture) / 255)


def _inverted(digit: Floats, rng: np.random.Generator) -> Floats:
    """The negative of itself within a band or a box."""
    (top, bottom), (left, right) = np.sort(rng.integers(0, SIDE + 1, (2, 2)), axis=1)
    shape = rng.choice(["column", "column", "row", "box"])
    if shape == "column":
        top, bottom = 0, SIDE
    if shape == "row":
        left, right = 0, SIDE
    changed = digit.copy()
    changed[top:bottom, left:right] = 1 - changed[top:bottom, left:right]
    return changed


def _noisy(digit: Floats, rng: np.random.Generator) -> Floats:
    """Some of the pixels, lost or burnt; or all of them a little."""
    if rng.integers(3):
        lost = rng.random(digit.shape) < rng.uniform(0, 0.3)
        return np.where(lost, rng.random(digit.shape) < rng.uniform(0.2, 0.8), digit)
    return digit + rng.uniform(0, 0.4) * rng.standard_normal(digit.shape)


def _outlined(digit: Floats, rng: np.random.Generator) -> Floats:
    """Hollow."""
    small = Image.fromarray((digit * 255).astype(np.uint8))
    large = np.asarray(small.resize((2 * SIDE, 2 * SIDE), Image.Resampling.BICUBIC))
    ink = np.pad(large > rng.uniform(40, 180), 1)
    core = (
        ink[1:-1, 1:-1]
        & ink[:-2, 1:-1]
        & ink[2:, 1:-1]
        & ink[1:-1, :-2]
        & ink[1:-1, 2:]
    )
    line = ink[1:-1, 1:-1] & ~core
    blocks = line.reshape(SIDE, 2, SIDE, 2)
    outline: Floats = (
        blocks.max(axis=(1, 3)).astype(np.float64)
        if rng.integers(2)
        else 2 * blocks.mean(axis=(1, 3))
    )
    return outline


def _fogged(digit: Floats, rng: np.random.Generator) -> Floats:
    """Something light and cloudy in front of it."""
    clouds = power_law_noise(rng, 2 * SIDE, rng.uniform(1, 2.5))[:SIDE, :SIDE]
    clouds -= clouds.min()
    clouds /= clouds.max()
    strength = rng.uniform(0.2, 2.5)
    return (digit + strength * clouds) / (1 + strength)


def _blotted(digit: Floats, rng: np.random.Generator) -> Floats:
    """Blots of one shade."""
    clouds = power_law_noise(rng, SIDE, rng.uniform(0.5, 1.5))
    return np.where(
        clouds > np.quantile(clouds, rng.uniform(0.8, 1)), rng.uniform(0.2, 1), digit
    )


def _smeared(digit: Floats, rng: np.random.Generator) -> Floats:
    """Each pixel from a place near by, and soft."""
    spread = rng.uniform(0, 1.2)
    places = [
        np.clip(
            np.rint(index + rng.normal(0, spread, digit.shape)), 0, SIDE - 1
        ).astype(int)
        for index in np.indices(digit.shape)
    ]
    smeared: Floats = digit[places[0], places[1]]
    for _ in range(int(rng.integers(4))):
        framed = np.pad(smeared, 1)
        beside = (
            framed[:-2, 1:-1] + framed[2:, 1:-1] + framed[1:-1, :-2] + framed[1:-1, 2:]
        )
        smeared = (2 * smeared + beside) / 6
    return smeared


_DAMAGES: list[Damage] = [
    _crossed,
    _inverted,
    _noisy,
    _outlined,
    _fogged,
    _blotted,
    _smeared,
]
