import json
import re

from digits.models import manifests
from local.checkout import BUNDLED_FOLDER
from research.model_card import TEMPLATE, write_card
from tests.conftest import ROOT
from training.evaluation.figures import (
    Calibration,
    Figures,
    NonDigitRejection,
    Rejection,
    Rendering,
    Renderings,
    Robustness,
    Share,
)

CARD = (ROOT / "docs" / "model-card.md").read_text()
MANIFEST = (BUNDLED_FOLDER / manifests.MANIFEST_FILE).read_bytes()


def make_figures() -> Figures:
    share = Share(0.9, 0.85, 0.95, of=1000)
    return Figures(
        version="any",
        accuracy=share,
        loss=0.25,
        digits={"7": share},
        confusion=[],
        calibration=Calibration(0.015, []),
        rejection=Rejection(
            0.5, share, {"letters": NonDigitRejection(share, 0.98, 0.07)}
        ),
        corruptions=Robustness(200, 0.6, {"fog": [0.8, 0.7, 0.6, 0.5, 0.4]}),
        pictures=Renderings(200, 0.8, 0.7, {"scan": Rendering(0.8, 0.7)}),
        exports={},
        comparisons={},
    )


def test_the_card_is_of_the_bundled_model() -> None:
    manifest = json.loads(MANIFEST)
    assert CARD.startswith(f"# Model card: {manifest['version']}\n")
    assert f"**{manifest['metrics']['accuracy']:.4f} (" in CARD


def test_the_card_has_the_text_of_the_template() -> None:
    lines = [line for line in TEMPLATE.read_text().splitlines() if "{" not in line]
    assert set(lines) <= set(CARD.splitlines())


def test_the_card_has_a_row_per_figure() -> None:
    card = write_card(make_figures(), manifests.parse_manifest(MANIFEST))
    for row in (
        "| 7 | 0.9000 (0.8500 to 0.9500) |",
        "| letters | 1,000 | 0.9000 (0.8500 to 0.9500) | 0.9800 | 0.0700 |",
        "| scan | 0.8000 | 0.7000 |",
        "| fog | 0.800 | 0.700 | 0.600 | 0.500 | 0.400 | 0.600 |",
    ):
        assert row in card
    assert not re.search(r"[{}]", card.replace("{version}/report", ""))
