"""The function's classifier, one image at a time."""

import os
from pathlib import Path

from bulk import print_seconds

from digits.arrays import Pixels
from digits.models.live import load_folder

classifier = load_folder(Path(os.environ["LITERT_MODEL"]).parent)


def classify(images: Pixels) -> None:
    """Classify each image."""
    for image in images:
        classifier.classify(image)


print_seconds(classify)
