"""Write docs/model-card.md, from what `digits evaluate bundled --output FOLDER` found.

.venv/bin/python -m bench.model_card FOLDER/metrics.json
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from bench.markdown import table
from digits.models import manifests
from digits.models.manifests import MANIFEST_FILE, MODEL_FILE
from local.checkout import BUNDLED_FOLDER

CARD = Path(__file__).parents[1] / "docs" / "model-card.md"
TEXT = """# Model card: {version}

The model bundled with the predict function, which answers until a training of yours is released. `bench/model_card.py`
writes this page from what `digits evaluate bundled` finds; the sections are those of Mitchell et al., "Model Cards for
Model Reporting", 2019.

## What it is

A convolutional network, `lite` of `training/networks.py`, in 8-bit integers: {size} kB. Pixels of one image, 28 by 28,
go in; ten logits and a score come out, the score telling how much the image looks like a digit. Trained by
`digits train` with {parameters},
on {dataset} {dataset_version}, from code {code_revision}. MIT licence, as the code.

## What it is for

Single handwritten digits, 0 to 9, of any pen, light on dark or dark on light: drawn on a screen, scanned, or
photographed on paper. Not for numbers of several digits, not for letters, and not where a wrong digit does harm that
nobody notices: ask for a second look below a confidence of your choice.

## Accuracy

On MNIST's {count} test digits: **{accuracy}**, loss {loss:.4f} nats. Expected calibration error {calibration:.4f}.

{digits}

## What is no digit

At the threshold, a score of {threshold:.3f}, {kept} of the test digits are kept. Of pictures that are none:

{rejection}

None of these was shown to the network, which learnt from squares of ten other photographs. Garments and crops were
looked at while what it learns to refuse was designed, emoji were not. Some letters of other scripts are drawn like a
digit; nobody took them out.

## Pictures as people send them

Test digits, rendered by `training/pictures/variants.py` ({pictures} of each kind):

{kinds}

## Damaged digits

Test digits, damaged in the fifteen ways of MNIST-C (Mu and Gilmer, 2019; `training/pictures/corruptions.py`),
{corrupted} for each way and severity. Mean accuracy {mean:.3f}.

{corruptions}

## What to know before using it

- It has learnt from MNIST: digits of American census employees and students, around 1990. Sevens with a bar, ones with
  a long upstroke and nines with a curled foot are rarer there than in Europe.
- It was trained on digits damaged by other code than what is measured here, but in similar ways. On damage of other
  kinds, expect less.
- The score is no probability, and the threshold no promise: letters made of a digit's strokes pass.
- `report.html` of any training of yours shows the same figures for your data: `GET /models/{{version}}/report`.
"""


def interval(share: dict[str, float]) -> str:
    """A share, and its 95 % confidence interval."""
    return f"{share['share']:.4f} ({share['low']:.4f} to {share['high']:.4f})"


def card(figures: dict[str, Any]) -> str:
    """The page, of what `metrics.json` holds."""
    manifest = manifests.parse_manifest((BUNDLED_FOLDER / MANIFEST_FILE).read_bytes())
    if figures["version"] != manifest.version:
        raise SystemExit(
            f"These figures are of {figures['version']}. Bundled is {manifest.version}."
        )
    rejection, corruptions, pictures = (
        figures["rejection"],
        figures["corruptions"],
        figures["pictures"],
    )
    return TEXT.format(
        version=manifest.version,
        size=manifest.files[MODEL_FILE].size // 1000,
        parameters=", ".join(
            f"{name} {value}" for name, value in manifest.parameters.items()
        ),
        dataset=manifest.dataset,
        dataset_version=manifest.dataset_version,
        code_revision=manifest.code_revision,
        count=f"{figures['accuracy']['of']:,}",
        accuracy=interval(figures["accuracy"]),
        loss=figures["loss"],
        calibration=figures["calibration"]["error"],
        digits=table(
            ["digit", "right"],
            ([digit, interval(it)] for digit, it in figures["digits"].items()),
        ),
        threshold=rejection["threshold"],
        kept=interval(rejection["kept"]),
        rejection=table(
            [
                "pictures",
                "how many",
                "rejected",
                "AUROC",
                "false positives at 95 % true ones",
            ],
            (
                [
                    name,
                    f"{it['rejected']['of']:,}",
                    interval(it["rejected"]),
                    f"{it['auroc']:.4f}",
                    f"{it['fpr_at_95_tpr']:.4f}",
                ]
                for name, it in rejection["sets"].items()
            ),
        ),
        pictures=f"{pictures['digits']:,}",
        kinds=table(
            ["kind", "right", "right, and taken for a digit"],
            (
                [name, f"{it['right']:.4f}", f"{it['accepted']:.4f}"]
                for name, it in {**pictures["kinds"], "mean": pictures}.items()
            ),
        ),
        corrupted=f"{corruptions['digits']:,}",
        mean=corruptions["mean"],
        corruptions=table(
            ["severity", 1, 2, 3, 4, 5, "mean"],
            (
                [
                    name,
                    *(f"{it:.3f}" for it in accuracies),
                    f"{statistics.fmean(accuracies):.3f}",
                ]
                for name, accuracies in corruptions["accuracy"].items()
            ),
        ),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("metrics", type=Path)
    CARD.write_text(card(json.loads(parser.parse_args().metrics.read_bytes())))
    print(CARD)
