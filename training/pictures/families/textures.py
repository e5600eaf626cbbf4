"""Textures, noise and gradients: pictures without a shape."""

import numpy as np
from numpy.random import Generator

from digits.arrays import Pixels
from training.pictures.families.canvas import (
    draw_decay,
    draw_side,
    stretch_contrast,
)
from training.pictures.noise import power_law_noise

# In pixels: sides of the pictures to measure with, which a client may send.
_SENT_SIDES = 28, 200


def draw_clouds(rng: Generator) -> Pixels:
    """Draw smooth noise, half of it cut off at a level, as a coast or a stain is."""
    side = draw_side(rng)
    noise = power_law_noise(rng, side, draw_decay(rng))
    if rng.integers(2):
        level = np.quantile(noise, rng.uniform(0.2, 0.9))
        noise = np.maximum(noise, level)
    return stretch_contrast(noise)


def draw_bars(rng: Generator) -> Pixels:
    """Draw stripes or a grid, soft or hard, in any direction."""
    side = draw_side(rng)
    rows, columns = np.indices((side, side)) - side / 2
    angles = rng.uniform(0, np.pi) + np.array([0, np.pi / 2])
    directions = rng.integers(1, 3)
    picture = np.zeros((side, side))
    for angle in angles[:directions]:
        distance = np.cos(angle) * rows + np.sin(angle) * columns
        cycles = rng.uniform(2, 8)
        phase = rng.uniform(0, 2 * np.pi)
        picture += np.sin(2 * np.pi * cycles * distance / side + phase)
    darkest, lightest = np.sort(rng.uniform(-1, 1, 2))
    return stretch_contrast(picture.clip(darkest, lightest))


def draw_blank(rng: Generator) -> Pixels:
    """Draw an empty sheet, as a camera with a noisy sensor sees it."""
    side = int(rng.integers(*_SENT_SIDES))
    shade = rng.uniform(0, 255)
    noise = rng.uniform(0.3, 8) * rng.standard_normal((side, side))
    return np.clip(shade + noise, 0, 255).astype(np.uint8)


def draw_noise(rng: Generator) -> Pixels:
    """Draw independent pixels: uniform, normal, or salt and pepper."""
    side = int(rng.integers(*_SENT_SIDES))
    shape = side, side
    uniform = rng.uniform(0, 255, shape)
    normal = rng.normal(128, rng.uniform(20, 80), shape).clip(0, 255)
    pepper = 255.0 * (rng.random(shape) < rng.uniform(0.02, 0.5))
    kinds = [uniform, normal, pepper]
    return kinds[rng.integers(3)].astype(np.uint8)


def draw_gradient(rng: Generator) -> Pixels:
    """Draw a gradient from dark to light, along a line or around a point."""
    side = int(rng.integers(*_SENT_SIDES))
    origin = rng.uniform(0, side, (2, 1, 1))
    rows, columns = np.indices((side, side)) - origin
    angle = rng.uniform(0, 2 * np.pi)
    radial = np.hypot(rows, columns)
    linear = np.cos(angle) * rows + np.sin(angle) * columns
    gradient = radial if rng.integers(2) else linear
    lightest = rng.uniform(0.3, 1)
    return (stretch_contrast(gradient) * lightest).astype(np.uint8)
