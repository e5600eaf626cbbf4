"""The model that comes with the predict function. It is live until there is a release, and again if one names it."""

from pathlib import Path

# The same in a checkout and in the training image.
FOLDER = Path(__file__).parents[1] / "functions" / "predict" / "model"
