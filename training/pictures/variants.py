"""Digits as clients send them: drawn on a screen, or written, then scanned or photographed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image

from digits.arrays import Pixels
from digits.digit import SIDE
from digits.imaging.png import MAX_BYTES
from training.input import Examples
from training.pictures import media
from training.pictures.handwriting import place_on_sheet, write_digit
from training.pictures.serving import encode_png, preprocess_png

# In pixels. Photographs stay smaller: with the noise of a camera, a PNG within
# `MAX_BYTES` has no more pixels.
LARGEST_SIDE = 4000
_LARGEST_PHOTOGRAPH = 1400


@dataclass(frozen=True)
class Kind:
    """A kind of picture that clients send.

    Attributes:
        paint: makes a picture of ink, 255 on a background of 0.
        largest_side: of a picture, in pixels.
    """

    paint: Callable[[Image.Image, Generator], Image.Image]
    largest_side: int = LARGEST_SIDE


KINDS = {
    "screen": Kind(media.draw_on_screen),
    "transparent": Kind(media.draw_transparently),
    "scan": Kind(media.scan),
    "paper": Kind(media.photograph, _LARGEST_PHOTOGRAPH),
    "ruled": Kind(media.photograph_ruled, _LARGEST_PHOTOGRAPH),
    "board": Kind(media.photograph_board, _LARGEST_PHOTOGRAPH),
}


def render(kind: str, digit: Pixels, rng: Generator) -> bytes:
    """Render a digit as a picture that a client may send.

    Args:
        kind: a key of `KINDS`.
        digit: (28, 28) uint8, light ink on 0, as in MNIST.
        rng: the same state gives the same picture.

    Returns:
        A PNG within the limits of `digits.imaging.png`.
    """
    ink = write_digit(digit, rng)
    sheet = place_on_sheet(ink, KINDS[kind].largest_side, rng)
    picture = KINDS[kind].paint(sheet, rng)
    data = encode_png(picture)
    while len(data) > MAX_BYTES:
        picture = picture.reduce(2)
        data = encode_png(picture)
    return data


def render_examples(count: int, seed: int, examples: Examples) -> Examples:
    """Render some of the examples, of each of the `KINDS` in turn, and preprocess them.

    Args:
        count: the number of examples to render.
        seed: the same seed gives the same result.
        examples: to choose from, at least one.

    Returns:
        At most `count` examples: without the pictures that serving refuses.
    """
    kinds = list(KINDS)
    digits, labels = [], []
    rngs = np.random.default_rng(seed).spawn(count)
    for number, rng in enumerate(rngs):
        index = rng.integers(len(examples))
        kind = kinds[number % len(kinds)]
        preprocessed = preprocess_png(render(kind, examples.images[index], rng))
        if not preprocessed.is_refused:
            digits.append(preprocessed.digit)
            labels.append(examples.labels[index])
    images = np.array(digits, np.uint8).reshape(-1, SIDE, SIDE)
    return Examples(images, np.array(labels, np.int64))
