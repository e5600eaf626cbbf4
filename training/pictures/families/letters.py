"""Printed letters."""

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont

from digits.arrays import Pixels

# Letters that resemble no digit: without B, b, g, I, i, j, l, O, o, q, S, s, Z and z.
_LETTERS = list("ACDEFGHJKLMNPQRTUVWXYacdefhkmnprtuvwxy")
# In pixels.
_SIDES = 32, 120


def draw_letter(rng: Generator) -> Pixels:
    """Print a letter in black on white."""
    letter = str(rng.choice(_LETTERS))
    side = int(rng.integers(*_SIDES))
    picture = Image.new("L", (side, side), 255)
    font = ImageFont.load_default(side * rng.uniform(0.5, 0.8))
    middle = side / 2, side / 2
    ImageDraw.Draw(picture).text(middle, letter, 0, font, anchor="mm")
    return np.asarray(picture)
