"""What the families share: a size, a canvas, and a scale of grey."""

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

from digits.arrays import Floats, Pixels
from training.pictures.noise import power_law_noise

# In pixels: a picture to learn from is at least as large as the network's input.
SMALLEST_SIDE = 28
_LARGEST_SIDE = 96
# In sides of a picture.
_INSIDE = 0.1, 0.9
# From nearly white noise to smoother than a natural image, whose decay is about 1.
_DECAYS = 0.3, 2.5

Point = tuple[float, float]


class Canvas:
    """A black square of a random size to draw on.

    Attributes:
        side: in pixels.
        image: (side, side), mode "L".
        draw: draws on the image.
    """

    def __init__(self, rng: Generator) -> None:
        self.side = draw_side(rng)
        self.image = Image.new("L", (self.side, self.side))
        self.draw = ImageDraw.Draw(self.image)

    def blurred(self, radius: float) -> Pixels:
        """The image, blurred by a Gaussian of a radius in pixels."""
        return np.asarray(self.image.filter(ImageFilter.GaussianBlur(radius)))


def draw_side(rng: Generator) -> int:
    """Draw the side of a picture to learn from, in pixels."""
    return int(rng.integers(SMALLEST_SIDE, _LARGEST_SIDE + 1))


def draw_shade(rng: Generator, darkest: int = 0) -> int:
    """Draw a shade from the darkest to white, 255."""
    return int(rng.integers(darkest, 256))


def draw_place(rng: Generator, side: int) -> Floats:
    """Draw x and y of a place inside a picture, off its edges."""
    return rng.uniform(*_INSIDE, 2) * side


def draw_decay(rng: Generator) -> float:
    """Draw how fast the noise's amplitude falls with frequency."""
    return rng.uniform(*_DECAYS)


def draw_texture(rng: Generator, side: int) -> Pixels:
    """Draw a (side, side) cloudy texture, from black to white."""
    decay = draw_decay(rng)
    return stretch_contrast(power_law_noise(rng, side, decay))


def stretch_contrast(values: Floats) -> Pixels:
    """Scale any values to 0..255. Equal values become black."""
    span = np.ptp(values) or 1
    shades = (values - values.min()) * (255 / span)
    pixels: Pixels = shades.round().astype(np.uint8)
    return pixels


def to_points(places: Floats) -> list[Point]:
    """Convert an (n, 2) array of x and y to the points that Pillow draws."""
    return [(float(x), float(y)) for x, y in places]
