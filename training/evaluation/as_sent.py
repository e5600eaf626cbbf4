"""What a model makes of pictures as they are sent: PNG in, digit out, by the way that serving takes."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from digits.arrays import Pixels
from digits.digit import SIDE
from training.evaluation.answers import Answers, litert_answers
from training.pictures import non_digits
from training.pictures.serving import Preprocessed, encode_png

# The score of what is no digit, whatever a model makes of it.
REFUSED = -np.inf


def others(family: str, count: int) -> Iterator[bytes]:
    """So many pictures of a family of `non_digits.REPORTED`, as PNG; the same each time."""
    return (
        encode_png(Image.fromarray(picture))
        for picture in non_digits.draw_reported(family, count, seed=0)
    )


def answers(model: bytes, found: list[Preprocessed]) -> Answers:
    """What an exported model answers, as to `?accept=any`.

    A picture that is refused has the score `REFUSED`, and one on which nothing is found
    no logits but NaN.
    """
    blank = np.zeros((SIDE, SIDE), np.uint8)
    images: Pixels = np.array(
        [blank if it.digit is None else it.digit for it in found], np.uint8
    )
    given = litert_answers(model, images.reshape(-1, SIDE, SIDE))
    given.scores[[it.is_refused for it in found]] = REFUSED
    given.logits[[it.digit is None for it in found]] = np.nan
    return given
