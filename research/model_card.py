"""Write docs/model-card.md, from the figures of `digits evaluate bundled --output FOLDER`.

.venv/bin/python -m research.model_card FOLDER/metrics.json
"""

import argparse
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from tabulate import tabulate

from digits.documents import parse_document
from digits.models import manifests
from digits.models.manifests import MANIFEST_FILE, MODEL_FILE, Manifest
from local.checkout import BUNDLED_FOLDER, ROOT
from training.evaluation.figures import (
    Figures,
    Rejection,
    Renderings,
    Robustness,
    Share,
)
from training.pictures.corruptions import MAX_SEVERITY
from training.pictures.families import photographs

CARD = ROOT / "docs" / "model-card.md"
TEMPLATE = Path(__file__).with_name("model-card.md.template")


def write_card(figures: Figures, manifest: Manifest) -> str:
    """Write the page, in Markdown."""
    parameters = [f"{name} {value}" for name, value in manifest.parameters.items()]
    corruptions = figures.corruptions
    return TEMPLATE.read_text().format(
        version=manifest.version,
        size=manifest.files[MODEL_FILE].size // 1000,
        parameters=", ".join(parameters),
        dataset=manifest.dataset,
        dataset_version=manifest.dataset_version,
        code_revision=manifest.code_revision,
        count=f"{figures.accuracy.of:,}",
        accuracy=figures.accuracy,
        loss=figures.loss,
        calibration=figures.calibration.error,
        digits=_table(["digit", "accuracy"], figures.digits.items()),
        threshold=figures.rejection.threshold,
        kept=figures.rejection.kept,
        rejection=_rejection_table(figures.rejection),
        photographs=len(photographs.find_photographs()),
        rendered=f"{figures.pictures.digits:,}",
        kinds=_renderings_table(figures.pictures),
        corruption_count=len(corruptions.accuracy),
        corrupted=f"{corruptions.digits:,}",
        mean=corruptions.mean,
        corruptions=_corruptions_table(corruptions),
    )


def _rejection_table(rejection: Rejection) -> str:
    heads = ["set", "size", "rejected", "AUROC", "false positive rate at 95 % recall"]
    rows: list[list[str | Share]] = []
    for name, figures in rejection.sets.items():
        size = f"{figures.rejected.of:,}"
        auroc = f"{figures.auroc:.4f}"
        fpr = f"{figures.fpr_at_95_tpr:.4f}"
        rows.append([name, size, figures.rejected, auroc, fpr])
    return _table(heads, rows)


def _renderings_table(renderings: Renderings) -> str:
    rows = []
    for name, kind in renderings.kinds.items():
        rows.append([name, f"{kind.right:.4f}", f"{kind.accepted:.4f}"])
    mean = ["mean", f"{renderings.right:.4f}", f"{renderings.accepted:.4f}"]
    return _table(["kind", "right", "right and accepted"], [*rows, mean])


def _corruptions_table(corruptions: Robustness) -> str:
    rows = []
    for name, accuracies in corruptions.accuracy.items():
        cells = [f"{accuracy:.3f}" for accuracy in accuracies]
        cells += [""] * (MAX_SEVERITY - len(cells))
        rows.append([name, *cells, f"{statistics.fmean(accuracies):.3f}"])
    severities = [str(severity + 1) for severity in range(MAX_SEVERITY)]
    return _table(["severity", *severities, "mean"], rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    # Numbers are formatted already. Cells are not padded, so that the difference
    # between two cards shows only the figures that changed.
    return tabulate(rows, heads, "github", disable_numparse=True, stralign=None)


def main() -> None:
    """Write the page of the bundled model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("metrics", type=Path, help="metrics.json")
    path = parser.parse_args().metrics
    figures = parse_document(path.read_bytes(), Figures, path.name)
    manifest = manifests.parse_manifest((BUNDLED_FOLDER / MANIFEST_FILE).read_bytes())
    if figures.version != manifest.version:
        raise SystemExit(
            f"{path} has the figures of model {figures.version}, and the bundled model "
            f"is {manifest.version}. Run `digits evaluate bundled` again."
        )
    CARD.write_text(write_card(figures, manifest))
    print(CARD)


if __name__ == "__main__":
    main()
