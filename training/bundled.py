"""The model bundled with the predict function: live until there is a release, or by a release."""

from pathlib import Path

# A checkout and the training image have the same layout.
FOLDER = Path(__file__).parents[1] / "functions" / "predict" / "model"
