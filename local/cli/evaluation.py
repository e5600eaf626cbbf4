"""`digits evaluate`: how good a model is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from digits.datasets import versions
from digits.errors import InvalidParameterError
from digits.models import releases
from digits.models.classifier import Classifier
from digits.models.manifests import Manifest
from digits.store import Store
from local.cli import catalogue
from local.cli.quiet import without_notices

if TYPE_CHECKING:
    from training.evaluation.study import Study


@dataclass(frozen=True)
class Evaluated:
    """A model, and its study."""

    manifest: Manifest
    study: "Study"

    def lines(self) -> Iterator[str]:
        """The figures to print, line by line."""
        figures = self.study.figures
        dataset = f"{self.manifest.dataset} {self.manifest.dataset_version}"
        yield f"{figures.version} on {figures.accuracy.of:,} digits of {dataset}"
        yield "Confidence intervals of 95 % are in parentheses."
        yield f"accuracy {figures.accuracy}"
        for digit, share in figures.digits.items():
            yield f"  {digit}: {share}"
        yield f"loss {figures.loss:.4f}, calibration error {figures.calibration.error:.4f}"
        yield f"digits accepted: {figures.rejection.kept}"
        yield "non-digits rejected:"
        for name, non_digits in figures.rejection.sets.items():
            yield f"  {name}, of {non_digits.rejected.of:,}: {non_digits.rejected}"
        yield f"accuracy on rendered digits: {figures.pictures.right:.4f}"
        yield f"accuracy on corrupted digits: {figures.corruptions.mean:.4f}"
        for name, comparison in figures.comparisons.items():
            baseline = f"{name}, {comparison.version}"
            yield f"accuracy of {baseline}: {comparison.accuracy}, McNemar's p {comparison.p:.3g}"

    def write(self, folder: Path) -> None:
        """Write the report into a folder, which is made."""
        from training.packaging.report import make_report  # noqa: PLC0415  it loads TensorFlow

        folder.mkdir(parents=True, exist_ok=True)
        for name, data in make_report(self.manifest, self.study).items():
            (folder / name).write_bytes(data)


def evaluate(
    store: Store, version: str | None, negatives: Sequence[Path], count: int | None
) -> Evaluated:
    """Study a model.

    Args:
        store: has the version of the dataset that the model was trained on, and the
            model, unless it is bundled.
        version: the model's, or `bundled`; None for the live model.
        negatives: folders of PNG files, all of them non-digits.
        count: digits per corruption and severity, and per kind of picture; None for as
            many as a training takes.

    Raises:
        InvalidParameterError: a folder holds no PNG files.
        UnknownError: there is no such model, or the store lacks the version of the
            dataset that the model was trained on.
    """
    non_digits = {folder.name: _read_pngs(folder) for folder in negatives}
    name = version or releases.live_version(store)
    manifest, model = catalogue.load_model(store, name)
    dataset = versions.find_version(store, manifest.dataset, manifest.dataset_version)
    with without_notices():
        threshold = Classifier(manifest, model).threshold
    # They load TensorFlow, which takes seconds and logs notices: after all mistakes in the
    # arguments have been found.
    from training.evaluation.baselines import load_baselines  # noqa: PLC0415
    from training.evaluation.evaluation_set import (  # noqa: PLC0415
        EvaluationSet,
        predict_evaluation_set,
    )
    from training.evaluation.predictions import ExportedModel  # noqa: PLC0415
    from training.evaluation.study import measure_model  # noqa: PLC0415
    from training.input import fetch  # noqa: PLC0415

    test = fetch(store, dataset, "test")
    evaluation_set = EvaluationSet.draw(test, count).with_non_digits(non_digits)
    study = measure_model(
        ExportedModel(manifest.version, model, threshold),
        evaluation_set,
        predict_evaluation_set(model, evaluation_set),
        exports={"int8": model},
        baselines=load_baselines(store, manifest),
    )
    return Evaluated(manifest, study)


def _read_pngs(folder: Path) -> list[bytes]:
    pngs = [path.read_bytes() for path in sorted(folder.glob("*.png"))]
    if not pngs:
        raise InvalidParameterError(
            f"The folder {folder} holds no PNG files. Name a folder with PNG files."
        )
    return pngs
