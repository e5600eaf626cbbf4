"""Strokes of a pen that form no digit."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from digits.arrays import Floats, Pixels
from training.pictures.families.canvas import Canvas, Point, draw_shade, to_points

# A cosine: within 53 degrees of an axis, an arm counts as along the axis.
_ALONG = 0.6
# Where two arms meet, and how long an arm is, in sides of the picture.
_JOINTS = 0.35, 0.65
_ARMS = 0.2, 0.5
_CURVE_POINTS = 20


@dataclass(frozen=True)
class _Pen:
    """Draws on a canvas with strokes of one shade and one width in pixels."""

    canvas: Canvas
    shade: int
    width: int

    def draw_arc(self, rng: Generator) -> None:
        """Draw a quarter to over a half of an ellipse."""
        left, top = rng.uniform(0, 0.4, 2) * self.canvas.side
        right, bottom = rng.uniform(0.6, 1, 2) * self.canvas.side
        start = rng.uniform(0, 360)
        end = start + rng.uniform(90, 220)
        box = left, top, right, bottom
        self.canvas.draw.arc(box, start, end, self.shade, self.width)

    def draw_line(self, rng: Generator) -> None:
        """Draw a line that leans back or lies: a line that leans forward is a 1."""
        angle = rng.uniform(0, 60)
        joint = self._draw_joint(rng)
        self._draw_arm(rng, joint, angle)
        self._draw_arm(rng, joint, angle + 180)

    def draw_corner(self, rng: Generator) -> None:
        """Draw a corner or a tee, but no 7."""
        first = rng.uniform(0, 360)
        second = first + rng.choice([-1, 1]) * rng.uniform(50, 130)
        while _is_seven_or_line(first, second):
            first, second = rng.uniform(0, 360, 2)
        joint = self._draw_joint(rng)
        self._draw_arm(rng, joint, first)
        self._draw_arm(rng, joint, second)
        if rng.integers(2):
            self._draw_arm(rng, joint, first + 180)

    def _draw_joint(self, rng: Generator) -> Floats:
        return rng.uniform(*_JOINTS, 2) * self.canvas.side

    def _draw_arm(self, rng: Generator, joint: Floats, angle: float) -> None:
        length = self.canvas.side * rng.uniform(*_ARMS)
        end = joint + length * _direction(angle)
        points = to_points(np.stack([joint, end]))
        self.canvas.draw.line(points, self.shade, self.width)


def draw_strokes(rng: Generator) -> Pixels:
    """Draw one stroke or two that form no digit."""
    canvas = Canvas(rng)
    shade = draw_shade(rng, darkest=120)
    width = canvas.side * rng.uniform(0.02, 0.14)
    pen = _Pen(canvas, shade, max(1, round(width)))
    kinds = [pen.draw_arc, pen.draw_corner, pen.draw_line]
    draw = kinds[rng.integers(len(kinds))]
    draw(rng)
    return canvas.blurred(rng.uniform(0, canvas.side / 40))


def draw_scribbles(rng: Generator) -> Pixels:
    """Draw at least four curved strokes: fewer may happen to form a digit."""
    canvas = Canvas(rng)
    width = max(1, round(canvas.side * rng.uniform(0.03, 0.12)))
    strokes = int(rng.integers(4, 9))
    for _ in range(strokes):
        curve = _draw_curve(rng, canvas.side)
        shade = draw_shade(rng, darkest=150)
        canvas.draw.line(curve, shade, width, joint="curve")
    return canvas.blurred(width / 6)


def _direction(degrees: float) -> Floats:
    """The unit vector at an angle from the right, clockwise."""
    radians = math.radians(degrees)
    return np.array([math.cos(radians), math.sin(radians)])


def _is_seven_or_line(first: float, second: float) -> bool:
    """Whether two arms form a 7, with one arm to the left and one down, or one line."""
    (x1, y1), (x2, y2) = _direction(first), _direction(second)
    has_left_arm = min(x1, x2) < -_ALONG
    has_lower_arm = max(y1, y2) > _ALONG
    is_line = abs(x1 * y2 - x2 * y1) < _ALONG
    return bool((has_left_arm and has_lower_arm) or is_line)


def _draw_curve(rng: Generator, side: int) -> list[Point]:
    """Draw a Bezier curve of two to four control points, by De Casteljau's algorithm."""
    controls = int(rng.integers(2, 5))
    points = rng.uniform(0.1, 0.9, (controls, 2)) * side
    along = np.linspace(0, 1, _CURVE_POINTS)[:, np.newaxis, np.newaxis]
    while points.shape[-2] > 1:
        points = (1 - along) * points[..., :-1, :] + along * points[..., 1:, :]
    return to_points(points[:, 0])
