"""A digit's ink, written by some pen and placed on a sheet. Ink is 255, background 0."""

from math import ceil

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter, ImageOps
from skimage.morphology import skeletonize

from digits.arrays import Mask, Pixels

# In pixels: the smallest sheet, and the smallest digit on a sheet.
SMALLEST_SIDE = 16
SMALLEST_DIGIT = 14

# In degrees.
_LARGEST_TURN = 15
# Strokes are redrawn at four times the resolution.
_ENLARGEMENT = 4
# In pixels: a frame leaves room for wider strokes.
_FRAME = 4
# In grey levels: an edge that is blurred counts as ink from the first, and its middle
# is at the second.
FAINT = 70
_EDGE = 127


def write_digit(digit: Pixels, rng: Generator) -> Image.Image:
    """Write a (28, 28) digit anew: with a pen of some width, turned, cropped to the ink."""
    framed = np.pad(digit, _FRAME)
    side = _ENLARGEMENT * framed.shape[0]
    ink = Image.fromarray(framed).resize((side, side), Image.Resampling.BICUBIC)
    pen = rng.choice(["original", "fine pen", "marker"])
    if pen == "fine pen":
        ink = _write_finely(ink, rng)
    elif pen == "marker":
        ink = _widen(ink, rng.uniform(0.5, 2))
    angle = rng.uniform(-_LARGEST_TURN, _LARGEST_TURN)
    turned = ink.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    is_ink = np.asarray(turned) > FAINT
    return turned.crop(Image.fromarray(is_ink).getbbox())


def place_on_sheet(ink: Image.Image, largest_side: int, rng: Generator) -> Image.Image:
    """Place the ink at a random place on a sheet of a random size."""
    # Small sheets are as frequent as large ones, by ratio.
    side = np.exp(rng.uniform(*np.log((SMALLEST_SIDE, largest_side))))
    longest = max(SMALLEST_DIGIT, side * rng.uniform(0.2, 0.95))
    ink = _resize(ink, longest / max(ink.size))
    width, height = ink.size
    sheet_width = max(round(side * rng.uniform(0.6, 1)), width + 2)
    sheet_height = max(round(side * rng.uniform(0.6, 1)), height + 2)
    left = int(rng.integers(1, sheet_width - width))
    top = int(rng.integers(1, sheet_height - height))
    sheet = Image.new("L", (sheet_width, sheet_height))
    sheet.paste(ink, (left, top))
    return sheet


def _resize(ink: Image.Image, ratio: float) -> Image.Image:
    width, height = ink.size
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    resized = ink.resize(size, Image.Resampling.BICUBIC)
    if ratio > 1:
        # Enlarged edges are soft, and a pen's edges are not.
        return resized.point(lambda shade: round((shade - 128) * ratio + 128))
    # Reduced, a fine line has faded.
    return ImageOps.autocontrast(resized)


def _write_finely(ink: Image.Image, rng: Generator) -> Image.Image:
    """Draw along the middle of the strokes, a fortieth to a twelfth of the height wide."""
    is_ink = np.asarray(ink) > _EDGE
    skeleton: Mask = skeletonize(is_ink)  # type: ignore[no-untyped-call]
    line = Image.fromarray(skeleton * np.uint8(255))
    widened = _widen(line, rng.uniform(0.7, 2.5))
    return widened.filter(ImageFilter.GaussianBlur(0.7))


def _widen(ink: Image.Image, radius: float) -> Image.Image:
    """Dilate by a disc of a radius in pixels, with a soft edge."""
    pixels = np.asarray(ink)
    height, width = pixels.shape
    reach = ceil(radius)
    steps = np.arange(-reach, reach + 1)
    distances = np.hypot(steps[:, np.newaxis], steps)
    disc = np.clip(radius + 0.5 - distances, 0, 1)
    padded = np.pad(pixels, reach)
    widened = np.zeros(pixels.shape)
    for row, column in np.argwhere(disc):
        moved = padded[row : row + height, column : column + width]
        widened = np.maximum(widened, moved * disc[row, column])
    return Image.fromarray(widened.astype(np.uint8))
