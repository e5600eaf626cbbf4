"""The fifteen corruptions of MNIST-C.

After Mu and Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision", 2019, with
the settings of their code (https://github.com/google-research/mnist-c): five severities
per corruption, except for stripe, dotted line, zigzag and canny edges, which have one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy.ndimage import affine_transform, gaussian_filter
from skimage.feature import canny
from skimage.util import random_noise

from digits.arrays import Floats, Mask, Pixels
from digits.digit import SIDE
from training.pictures.noise import diamond_square_clouds

MAX_SEVERITY = 5

_ROWS, _COLUMNS = np.indices((SIDE, SIDE))
_CENTRE = np.full(2, (SIDE - 1) / 2)
# A line is drawn as 1 + log(1 - distance / 2.3), which is 0 from 1.45 pixels on.
_LINE_REACH = 2.3
# In pixels: from which column to which a zigzag runs, and the length of half a zigzag.
_ZIGZAG_START, _ZIGZAG_END = 2, 25
_ZIGZAG_LENGTH = 2
# The share of pixels that a pane of glass swaps per round.
_SWAPPED = 0.5
# The share of a drop that is left when the drop is blurred and cut off, and its shade.
_DROP_CORE = 0.8
_DROP_SHADE = 63 / 255

Setting = TypeVar("Setting")


@dataclass(frozen=True)
class FixedCorruption(Generic[Setting]):
    """A corruption without chance.

    Attributes:
        apply: corrupts a (28, 28) float digit in [0, 1], by a setting. What leaves the
            range is cut off.
        settings: a setting per severity.
    """

    apply: Callable[[Floats, Setting], Floats]
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class RandomCorruption(Generic[Setting]):
    """A corruption that draws random numbers, otherwise as `FixedCorruption`."""

    apply: Callable[[Floats, Setting, Generator], Floats]
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class _GlassBlur:
    sigma: float
    reach: int  # pixels
    rounds: int


@dataclass(frozen=True)
class _MotionBlur:
    radius: int  # pixels
    sigma: float


@dataclass(frozen=True)
class _Fog:
    strength: float
    decay: float


@dataclass(frozen=True)
class _Spatter:
    mean: float
    deviation: float
    sigma: float
    threshold: float
    edge_sigma: float


def severities(name: str) -> range:
    """The severities of a corruption, from 1."""
    return range(1, len(CORRUPTIONS[name].settings) + 1)


def corrupt(name: str, digit: Pixels, severity: int, rng: Generator) -> Pixels:
    """Corrupt a digit.

    Args:
        name: a key of `CORRUPTIONS`.
        digit: (28, 28) uint8, light ink on 0.
        severity: one of the corruption's `severities`.
        rng: the same state gives the same result.

    Returns:
        (28, 28) uint8.
    """
    corruption = CORRUPTIONS[name]
    setting = corruption.settings[severity - 1]
    original = digit / 255
    if isinstance(corruption, RandomCorruption):
        corrupted = corruption.apply(original, setting, rng)
    else:
        corrupted = corruption.apply(original, setting)
    pixels: Pixels = (corrupted.clip(0, 1) * 255).round().astype(np.uint8)
    return pixels


def _add_shot_noise(digit: Floats, photons: int, rng: Generator) -> Floats:
    """Count photons, as a sensor does in little light: `photons` on average in white."""
    return rng.poisson(digit * photons) / photons


def _add_impulse_noise(digit: Floats, share: float, rng: Generator) -> Floats:
    noisy: Floats = random_noise(  # type: ignore[no-untyped-call]
        digit, mode="s&p", amount=share, rng=rng
    )
    return noisy


def _blur_by_glass(digit: Floats, setting: _GlassBlur, rng: Generator) -> Floats:
    """Swap pixels with near ones, between two blurs."""
    inside = np.arange(SIDE - setting.reach, setting.reach, -1)
    places = np.tile(np.add.outer(SIDE * inside, inside).ravel(), setting.rounds)
    swapped = places[rng.random(len(places)) < _SWAPPED]
    down, right = rng.integers(-setting.reach, setting.reach, (2, len(swapped)))
    partners = swapped + SIDE * down + right
    # A pixel may be swapped again and again, so one swap follows the other. A list is
    # faster than an array at this.
    pixels = _blur(digit, setting.sigma).ravel().tolist()
    for place, partner in zip(swapped.tolist(), partners.tolist(), strict=True):
        pixels[place], pixels[partner] = pixels[partner], pixels[place]
    return _blur(np.reshape(pixels, digit.shape), setting.sigma)


def _blur_by_motion(digit: Floats, setting: _MotionBlur, rng: Generator) -> Floats:
    """Drag the digit along a line, as ImageMagick's motion blur does."""
    angle = np.radians(rng.uniform(-45, 45))
    steps = np.arange(2 * setting.radius + 1)
    weights = np.exp(-0.5 * np.square(steps / setting.sigma))
    down = np.ceil(steps * np.sin(angle) - 0.5).astype(int)
    right = np.ceil(steps * np.cos(angle) - 0.5).astype(int)
    # What lies outside the image is as its edge.
    rows = np.clip(_ROWS[..., np.newaxis] + down, 0, SIDE - 1)
    columns = np.clip(_COLUMNS[..., np.newaxis] + right, 0, SIDE - 1)
    dragged: Floats = digit[rows, columns] @ (weights / weights.sum())
    return dragged


def _shear(digit: Floats, angle: float, rng: Generator) -> Floats:
    angle *= rng.choice([-1, 1])
    return _transform(digit, [[np.cos(angle), 0], [-np.sin(angle), 1]])


def _rotate(digit: Floats, angle: float, rng: Generator) -> Floats:
    angle *= rng.choice([-1, 1])
    sine, cosine = np.sin(angle), np.cos(angle)
    return _transform(digit, [[cosine, sine], [-sine, cosine]])


def _scale(digit: Floats, ratio: float) -> Floats:
    return _transform(digit, np.eye(2) / ratio)


def _translate(digit: Floats, pixels: int, rng: Generator) -> Floats:
    return _transform(digit, np.eye(2), shift=pixels * rng.choice([-1, 1], 2))


def _brighten(digit: Floats, amount: float) -> Floats:
    return digit + amount


def _invert_outside_stripe(digit: Floats, width: int) -> Floats:
    """Invert the `width` columns on the left and on the right."""
    inverted = digit.copy()
    inverted[:, :width] = 1 - digit[:, :width]
    inverted[:, -width:] = 1 - digit[:, -width:]
    return inverted


def _add_fog(digit: Floats, setting: _Fog, rng: Generator) -> Floats:
    """Lay clouds over the digit. The whole stays as bright as before."""
    clouds = diamond_square_clouds(rng, setting.decay)
    peak = digit.max()
    foggy = digit + setting.strength * clouds
    dimmed: Floats = foggy * (peak / (peak + setting.strength))
    return dimmed


def _spatter(digit: Floats, setting: _Spatter, rng: Generator) -> Floats:
    """Cover the digit with drops of mud."""
    noise = rng.normal(setting.mean, setting.deviation, digit.shape)
    is_drop = _blur(noise, setting.sigma) > setting.threshold
    drops = _blur(is_drop.astype(float), setting.edge_sigma)
    drops[drops < _DROP_CORE] = 0
    return (1 - drops) * digit + drops * _DROP_SHADE


def _add_dotted_line(digit: Floats, dot: int, rng: Generator) -> Floats:
    """Draw a line from the left edge to the right edge, in dots of some pixels."""
    is_dot = _COLUMNS // dot % 2 == 1
    rows = rng.integers(SIDE - 1, size=2).astype(float)
    line = _draw_line(np.array([0.0, SIDE - 1]), rows)
    dotted: Floats = digit + is_dot * line
    return dotted


def _add_zigzag(digit: Floats, height: int, rng: Generator) -> Floats:
    """Draw a zigzag across the image, whose legs rise and fall by some pixels."""
    columns, rows = _draw_zigzag(height, rng)
    return digit + _draw_line(columns, rows)


def _detect_edges(digit: Floats, sigma: float) -> Floats:
    is_edge: Mask = canny(digit, sigma)  # type: ignore[no-untyped-call]
    return is_edge.astype(float)


def _blur(picture: Floats, sigma: float) -> Floats:
    blurred: Floats = gaussian_filter(picture, sigma, mode="nearest")
    return blurred


def _transform(digit: Floats, matrix: ArrayLike, shift: ArrayLike = 0) -> Floats:
    """Move what is `matrix` @ place + `shift` to each place, both from the centre.

    Places are rows and columns. Pixels are interpolated linearly.
    """
    offset = _CENTRE - np.asarray(matrix) @ _CENTRE + shift
    transformed: Floats = affine_transform(
        digit, matrix, offset, order=1, mode="grid-constant"
    )
    return transformed


def _draw_line(columns: Floats, rows: Floats) -> Floats:
    """A line through points from left to right, fading with the vertical distance."""
    heights = np.interp(_COLUMNS[0], columns, rows, left=np.inf, right=np.inf)
    distances = np.abs(_ROWS - heights)
    nearness = np.clip(1 - distances / _LINE_REACH, np.exp(-1), 1)
    line: Floats = 1 + np.log(nearness)
    return line


def _draw_zigzag(height: int, rng: Generator) -> Floats:
    """The (2, n) columns and rows of a zigzag across the image, a little inclined."""
    start = rng.integers(SIDE - 1)
    width, rise = _ZIGZAG_END - _ZIGZAG_START, rng.integers(-5, 5)
    length = np.hypot(width, rise)
    along = np.arange(_ZIGZAG_LENGTH, length, 2 * _ZIGZAG_LENGTH)
    across = height * (-1.0) ** np.arange(len(along))
    zigzag = np.array([[0, *along, length], [0, *across, 0]])
    cosine, sine = width / length, rise / length
    turn = np.array([[cosine, -sine], [sine, cosine]])
    origin = np.array([[_ZIGZAG_START], [start]])
    placed: Floats = origin + turn @ zigzag
    return placed


CORRUPTIONS: dict[str, FixedCorruption[Any] | RandomCorruption[Any]] = {
    "shot noise": RandomCorruption(_add_shot_noise, (60, 25, 12, 5, 3)),
    "impulse noise": RandomCorruption(
        _add_impulse_noise, (0.03, 0.06, 0.09, 0.17, 0.27)
    ),
    "glass blur": RandomCorruption(
        _blur_by_glass,
        (
            _GlassBlur(0.7, 1, 2),
            _GlassBlur(0.9, 2, 1),
            _GlassBlur(1.0, 2, 3),
            _GlassBlur(1.1, 3, 2),
            _GlassBlur(1.5, 4, 2),
        ),
    ),
    "motion blur": RandomCorruption(
        _blur_by_motion,
        (
            _MotionBlur(10, 3),
            _MotionBlur(15, 5),
            _MotionBlur(15, 8),
            _MotionBlur(15, 12),
            _MotionBlur(20, 15),
        ),
    ),
    # Settings in radians.
    "shear": RandomCorruption(_shear, (0.2, 0.4, 0.6, 0.8, 1.0)),
    "scale": FixedCorruption(_scale, (0.9, 0.8, 0.7, 0.6, 0.5)),
    # Settings in radians.
    "rotate": RandomCorruption(_rotate, (0.2, 0.4, 0.6, 0.8, 1.0)),
    "brightness": FixedCorruption(_brighten, (0.1, 0.2, 0.3, 0.4, 0.5)),
    # Settings in pixels.
    "translate": RandomCorruption(_translate, (1, 2, 3, 4, 5)),
    # A setting in pixels.
    "stripe": FixedCorruption(_invert_outside_stripe, (7,)),
    "fog": RandomCorruption(
        _add_fog,
        (
            _Fog(1.5, 2.0),
            _Fog(2.0, 2.0),
            _Fog(2.5, 1.7),
            _Fog(2.5, 1.5),
            _Fog(3.0, 1.4),
        ),
    ),
    "spatter": RandomCorruption(
        _spatter,
        (
            _Spatter(0.65, 0.3, 4, 0.69, 0.6),
            _Spatter(0.65, 0.3, 3, 0.68, 0.6),
            _Spatter(0.65, 0.3, 2, 0.68, 0.5),
            _Spatter(0.65, 0.3, 1, 0.65, 1.5),
            _Spatter(0.67, 0.4, 1, 0.65, 1.5),
        ),
    ),
    # A setting in pixels.
    "dotted line": RandomCorruption(_add_dotted_line, (2,)),
    # A setting in pixels.
    "zigzag": RandomCorruption(_add_zigzag, (2,)),
    "canny edges": FixedCorruption(_detect_edges, (1.0,)),
}
