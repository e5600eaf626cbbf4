"""Filled shapes: leaves, things, sticks and slabs."""

import numpy as np
from numpy.random import Generator
from PIL import Image

from digits.arrays import Floats, Pixels
from training.pictures.families.canvas import (
    Canvas,
    Point,
    draw_place,
    draw_shade,
    draw_texture,
    to_points,
)

# A polygon of 30 corners looks like a circle at these sizes.
_CIRCLE_CORNERS = 30
_CORNERS = [3, 4, 5, 6, 8, _CIRCLE_CORNERS]
# Two sticks alone could be a digit's strokes, so two sticks are thick.
_FEWEST_STICKS = 2
# Half widths of a stick's ends, in sides of the picture.
_BROAD, _THICK, _THIN = 0.2, 0.1, 0.02
# The darkest shade of a shape on black.
_LIGHT = 100


def draw_leaves(rng: Generator) -> Pixels:
    """Draw shapes over shapes until they hide the background.

    The dead leaves model of Lee, Mumford and Huang, "Occlusion Models for Natural
    Images", 2001.
    """
    canvas = Canvas(rng)
    side = canvas.side
    canvas.image.paste(draw_shade(rng), (0, 0, side, side))
    leaves = int(rng.choice([4, 10, 30, 60]))
    for largest in np.geomspace(0.8, 0.1, leaves):
        outline = _draw_outline(rng, side, largest)
        canvas.draw.polygon(outline, draw_shade(rng))
    soft = canvas.blurred(side / 20 * rng.random() ** 2)
    grain = 40 * rng.random() ** 2 * rng.standard_normal((side, side))
    return np.clip(soft + grain, 0, 255).astype(np.uint8)


def draw_things(rng: Generator) -> Pixels:
    """Draw one shaded thing on an even background: a few joined shapes."""
    canvas = Canvas(rng)
    side = canvas.side
    parts = int(rng.integers(1, 5))
    for _ in range(parts):
        if rng.integers(2):
            canvas.draw.polygon(_draw_outline(rng, side, largest=0.5), fill=255)
        else:
            x, y = rng.uniform(0.2, 0.8, 2) * side
            width, height = rng.uniform(0.1, 0.4, 2) * side
            box = x - width, y - height, x + width, y + height
            canvas.draw.rectangle(box, fill=255)
    shade = draw_texture(rng, side) * rng.uniform(0, 0.7)
    mask = canvas.blurred(rng.uniform(0, 1)) / 255
    return (mask * (255 - shade)).astype(np.uint8)


def draw_sticks(rng: Generator) -> Pixels:
    """Draw tapering straight sticks, some from one joint, as legs and frames are."""
    canvas = Canvas(rng)
    side = canvas.side
    sticks = int(rng.integers(_FEWEST_STICKS, 7))
    thinnest = _THICK if sticks == _FEWEST_STICKS else _THIN
    joint = draw_place(rng, side)
    for _ in range(sticks):
        start = joint if rng.integers(2) else draw_place(rng, side)
        end = draw_place(rng, side)
        widths = side * rng.uniform(thinnest, _BROAD, 2)
        corners = to_points(_taper(start, end, widths))
        canvas.draw.polygon(corners, draw_shade(rng, _LIGHT))
    return canvas.blurred(rng.uniform(0, side / 40))


def draw_slabs(rng: Generator) -> Pixels:
    """Draw one tapering piece, too broad for a stroke; half with a slit, as trousers have."""
    canvas = Canvas(rng)
    middle = canvas.side / 2
    length = 0.45 * canvas.side
    top_width, bottom_width = length * rng.uniform(0.3, 0.7, 2)
    slab = [
        (middle + top_width, middle - length),
        (middle + bottom_width, middle + length),
        (middle - bottom_width, middle + length),
        (middle - top_width, middle - length),
    ]
    canvas.draw.polygon(slab, draw_shade(rng, _LIGHT))
    if rng.integers(2):
        slit_width = bottom_width * rng.uniform(0.05, 0.5)
        slit_top = length * rng.uniform(-0.7, 0.5)
        slit = [
            (middle, middle + slit_top),
            (middle + slit_width, middle + length),
            (middle - slit_width, middle + length),
        ]
        canvas.draw.polygon(slit, fill=int(rng.integers(80)))
    darkness = rng.uniform(0, 0.6)
    shade = 1 - darkness * (draw_texture(rng, canvas.side) / 255)
    angle = rng.normal(0, 15) + rng.choice([0, 0, 0, 90])
    turned = canvas.image.rotate(angle, Image.Resampling.BILINEAR)
    return (np.asarray(turned) * shade).astype(np.uint8)


def _draw_outline(rng: Generator, side: int, largest: float) -> list[Point]:
    """Draw a polygon around a random place: spiky, or an ellipse."""
    corners = int(rng.choice(_CORNERS))
    if corners == _CIRCLE_CORNERS:
        angles = np.linspace(0, 2 * np.pi, corners)
        radii = side * rng.uniform(0.05, largest) * np.ones(corners)
    else:
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        radii = side * rng.uniform(0.05, largest) * rng.uniform(0.5, 1, corners)
    centre = draw_place(rng, side)
    squeeze = np.array([1, rng.uniform(0.3, 1)])
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return to_points(centre + squeeze * radii[:, np.newaxis] * directions)


def _taper(start: Floats, end: Floats, widths: Floats) -> Floats:
    """The (4, 2) corners of a stick of one half width at its start, another at its end."""
    x, y = end - start
    # One pixel more keeps the direction finite where the ends meet.
    across = np.array([-y, x]) / (np.hypot(x, y) + 1)
    first, last = widths
    return np.stack(
        [
            start + across * first,
            start - across * first,
            end - across * last,
            end + across * last,
        ]
    )
