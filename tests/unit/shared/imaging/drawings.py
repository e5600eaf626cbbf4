"""Images as text: a row per line, a character per pixel."""

from textwrap import dedent

import numpy as np

from digits.arrays import Mask, Pixels

# Grey levels are drawn in one digit, from 0 (black) to 9.
LEVEL = 25


def mask_of(drawing: str) -> Mask:
    """The mask that is drawn with `#` on `.`."""
    return np.array(
        [[character == "#" for character in row] for row in drawing.split()]
    )


def drawing_of(mask: Mask) -> str:
    """Draw a mask with `#` on `.`, as in `mask_of`."""
    return "\n".join("".join(np.where(row, "#", ".")) for row in mask)


def grey_of(drawing: str) -> Pixels:
    """The grey levels that are drawn with digits."""
    levels = np.array([list(row) for row in drawing.split()], np.uint8)
    return levels * np.uint8(LEVEL)


def text(drawing: str) -> str:
    """A drawing without the indentation of the test around it."""
    return dedent(drawing).strip()
