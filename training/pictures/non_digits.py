"""Non-digits: families that a network learns from, and others to measure with.

No collection of what is not a digit is large enough. Families of synthetic images, far
apart from each other, and squares of a few photographs stand for the rest (Hendrycks,
Mazeika and Dietterich, "Deep Anomaly Detection with Outlier Exposure", 2019; Baradad
et al., "Learning to See by Looking at Noise", 2021).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator

from digits.arrays import Pixels
from digits.digit import SIDE
from digits.errors import NotADigitError
from digits.imaging.normalise import normalise
from training.pictures.families import (
    letters,
    photographs,
    recombined,
    shapes,
    strokes,
    textures,
)

# A picture that is refused before the network sees it is drawn again, up to 20 times.
_ATTEMPTS = 20

# Draws a grey picture of any size, (height, width) uint8.
Draw = Callable[[Generator], Pixels]


@dataclass(frozen=True)
class Family:
    """One way to draw a non-digit.

    Attributes:
        name: as the report and the model card show it.
        draw: draws a picture.
        use: whether networks learn from the family, or are measured with it. Never
            both: a measurement is of pictures unlike those learnt from.
        weight: how many pictures to learn from per picture of a family of weight 1.
    """

    name: str
    draw: Draw
    use: Literal["fitting", "report"] = "fitting"
    weight: int = 1


@dataclass(frozen=True)
class DigitFamily:
    """One way to make a non-digit of digits, to learn from.

    Attributes:
        name: as in `Family`.
        draw: makes a picture of (n, 28, 28) uint8 digits, n at least 1.
        weight: as in `Family`.
    """

    name: str
    draw: Callable[[Generator, Pixels], Pixels]
    weight: int = 1

    def bind(self, digits: Pixels) -> Family:
        """The family of the non-digits that are made of these digits."""
        return Family(self.name, lambda rng: self.draw(rng, digits), weight=self.weight)


# A new family is one line here, and a function in `training.pictures.families`.
FAMILIES = (
    Family("clouds", textures.draw_clouds),
    Family("leaves", shapes.draw_leaves),
    Family("things", shapes.draw_things),
    Family("sticks", shapes.draw_sticks),
    Family("slabs", shapes.draw_slabs),
    Family("strokes", strokes.draw_strokes),
    Family("scribbles", strokes.draw_scribbles),
    Family("bars", textures.draw_bars),
    Family("crops", photographs.draw_crop),
    Family("details", photographs.draw_detail),
    DigitFamily("pieces", recombined.draw_pieces),
    DigitFamily("groups", recombined.draw_groups),
    DigitFamily("overlaid", recombined.draw_overlaid),
    Family("blank", textures.draw_blank, use="report"),
    Family("noise", textures.draw_noise, use="report"),
    Family("gradient", textures.draw_gradient, use="report"),
    Family("letters", letters.draw_letter, use="report"),
)
FITTED = [
    family
    for family in FAMILIES
    if isinstance(family, DigitFamily) or family.use == "fitting"
]
REPORTED = {
    family.name: family
    for family in FAMILIES
    if isinstance(family, Family) and family.use == "report"
}


def draw_fitted(count: int, seed: int, digits: Pixels) -> Pixels:
    """Draw non-digits to learn from, as the network sees them.

    Args:
        count: the number of pictures, shared between the families of `FITTED` by weight.
        seed: the same seed draws the same pictures.
        digits: (n, 28, 28) uint8, n at least 1, for the families made of digits.

    Returns:
        (count, 28, 28) uint8.
    """
    draws = _order_draws(digits)
    pictures = np.empty((count, SIDE, SIDE), np.uint8)
    rngs = np.random.default_rng(seed).spawn(count)
    for index, rng in enumerate(rngs):
        draw = draws[index % len(draws)]
        pictures[index] = _draw_normalised(draw, rng)
    return pictures


def draw_reported(family: str, count: int, seed: int) -> Iterator[Pixels]:
    """Draw non-digits of a family of `REPORTED`: grey pictures of any size, as sent."""
    draw = REPORTED[family].draw
    for rng in np.random.default_rng(seed).spawn(count):
        yield draw(rng)


def _order_draws(digits: Pixels) -> list[Draw]:
    """The families' draw functions in turn, each repeated by its weight."""
    draws: list[Draw] = []
    for family in FITTED:
        bound = family.bind(digits) if isinstance(family, DigitFamily) else family
        draws += [bound.draw] * bound.weight
    return draws


def _draw_normalised(draw: Draw, rng: Generator) -> Pixels:
    """Draw until serving does not refuse the picture before the network sees it."""
    for _ in range(_ATTEMPTS):
        try:
            return normalise(draw(rng))
        except NotADigitError:
            continue
    # Some digits, such as blank ones, make no picture that passes. Clouds do at last.
    return _draw_normalised(textures.draw_clouds, rng)
