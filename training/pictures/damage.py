"""Damaged digits to learn from: crossed out, blotted, in fog, in noise, half inverted.

`training.pictures.corruptions` measures how well a network reads such digits, and
damages them by other means.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw
from scipy.ndimage import binary_erosion, convolve

from digits.arrays import Floats, Pixels
from digits.digit import SIDE
from digits.errors import NotADigitError
from digits.imaging.normalise import normalise
from training.input import Examples
from training.pictures.noise import power_law_noise

# Damages a (28, 28) float digit in [0, 1]. What leaves the range is cut off.
Damage = Callable[[Floats, Generator], Floats]

# Damage that serving would refuse is drawn again, up to 5 times.
_ATTEMPTS = 5
# A pixel takes a third of its value from itself, and a sixth from each neighbour.
_SMEAR = np.array([[0, 1, 0], [1, 2, 1], [0, 1, 0]]) / 6


def damage_examples(count: int, seed: int, examples: Examples) -> Examples:
    """Damage some of the examples, each in one of the ways of this module.

    Args:
        count: the number of examples to return.
        seed: the same seed gives the same result.
        examples: to choose from, at least one.

    Returns:
        `count` examples, normalised as in serving. A digit that serving would refuse
        with any damage is returned undamaged.
    """
    digits = np.empty((count, SIDE, SIDE), np.uint8)
    chosen = np.empty(count, np.int64)
    rngs = np.random.default_rng(seed).spawn(count)
    for index, rng in enumerate(rngs):
        chosen[index] = rng.integers(len(examples))
        digit = examples.images[chosen[index]]
        damage = _DAMAGES[index % len(_DAMAGES)]
        digits[index] = _damage_digit(digit, damage, rng)
    return Examples(digits, examples.labels[chosen])


def _damage_digit(digit: Pixels, damage: Damage, rng: Generator) -> Pixels:
    for _ in range(_ATTEMPTS):
        damaged = damage(digit / 255, rng).clip(0, 1)
        try:
            return normalise((damaged * 255).astype(np.uint8))
        except NotADigitError:
            continue
    return digit


def _cross_out(digit: Floats, rng: Generator) -> Floats:
    """Draw strokes over the digit: straight, bent or broken into dots."""
    picture = Image.new("L", (SIDE, SIDE))
    draw = ImageDraw.Draw(picture)
    strokes = int(rng.integers(1, 4))
    for _ in range(strokes):
        count = int(rng.integers(2, 20))
        steps = np.linspace(0, 1, count)[:, np.newaxis]
        start, end = rng.uniform(-0.2, 1.2, (2, 2)) * SIDE
        bends = rng.uniform(0, 3) * rng.uniform(-1, 1, (count, 2))
        places = start + steps * (end - start) + bends
        points = [(float(x), float(y)) for x, y in places]
        shade = int(rng.integers(80, 256))
        if rng.integers(2):
            draw.line(points, fill=shade)
        else:
            draw.point(points, fill=shade)
    return np.maximum(digit, np.asarray(picture) / 255)


def _invert(digit: Floats, rng: Generator) -> Floats:
    """Invert a band or a box."""
    limits = rng.integers(0, SIDE + 1, (2, 2))
    (top, bottom), (left, right) = np.sort(limits, axis=1)
    shape = rng.choice(["column", "column", "row", "box"])
    if shape == "column":
        top, bottom = 0, SIDE
    if shape == "row":
        left, right = 0, SIDE
    inverted = digit.copy()
    inverted[top:bottom, left:right] = 1 - digit[top:bottom, left:right]
    return inverted


def _add_noise(digit: Floats, rng: Generator) -> Floats:
    """Replace some of the pixels by black or white, or change all of them a little."""
    if rng.integers(3):
        is_lost = rng.random(digit.shape) < rng.uniform(0, 0.3)
        is_white = rng.random(digit.shape) < rng.uniform(0.2, 0.8)
        return np.where(is_lost, is_white, digit)
    strength = rng.uniform(0, 0.4)
    return digit + strength * rng.standard_normal(digit.shape)


def _outline(digit: Floats, rng: Generator) -> Floats:
    """Leave the outline of the digit."""
    # At twice the resolution, an outline is half a pixel wide.
    small = Image.fromarray((digit * 255).astype(np.uint8))
    size = 2 * SIDE, 2 * SIDE
    large = np.asarray(small.resize(size, Image.Resampling.BICUBIC))
    is_ink = large > rng.uniform(40, 180)
    is_outline = is_ink & ~binary_erosion(is_ink)
    blocks = is_outline.reshape(SIDE, 2, SIDE, 2)
    if rng.integers(2):
        hard: Floats = blocks.max(axis=(1, 3)).astype(float)
        return hard
    soft: Floats = 2 * blocks.mean(axis=(1, 3))
    return soft


def _add_fog(digit: Floats, rng: Generator) -> Floats:
    """Put something light and cloudy in front of the digit."""
    decay = rng.uniform(1, 2.5)
    clouds = power_law_noise(rng, 2 * SIDE, decay)[:SIDE, :SIDE]
    clouds -= clouds.min()
    clouds /= clouds.max()
    strength = rng.uniform(0.2, 2.5)
    return (digit + strength * clouds) / (1 + strength)


def _add_blots(digit: Floats, rng: Generator) -> Floats:
    """Put blots of one shade on the digit."""
    noise = power_law_noise(rng, SIDE, rng.uniform(0.5, 1.5))
    threshold = np.quantile(noise, rng.uniform(0.8, 1))
    shade = rng.uniform(0.2, 1)
    return np.where(noise > threshold, shade, digit)


def _smear(digit: Floats, rng: Generator) -> Floats:
    """Take each pixel from a place nearby, and soften the result."""
    spread = rng.uniform(0, 1.2)
    steps = rng.normal(0, spread, (2, SIDE, SIDE))
    places = np.rint(np.indices(digit.shape) + steps)
    rows, columns = places.clip(0, SIDE - 1).astype(int)
    smeared: Floats = digit[rows, columns]
    rounds = int(rng.integers(4))
    for _ in range(rounds):
        smeared = convolve(smeared, _SMEAR, mode="constant")
    return smeared


_DAMAGES = [
    _cross_out,
    _invert,
    _add_noise,
    _outline,
    _add_fog,
    _add_blots,
    _smear,
]
