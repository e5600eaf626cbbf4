import json
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_card_is_of_the_bundled_model() -> None:
    manifest = json.loads(
        (ROOT / "functions" / "predict" / "model" / "manifest.json").read_bytes()
    )
    card = (ROOT / "docs" / "model-card.md").read_text()
    assert card.startswith(f"# Model card: {manifest['version']}\n")
    assert f"**{manifest['metrics']['accuracy']:.4f} (" in card
