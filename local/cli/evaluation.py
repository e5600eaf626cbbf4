"""`digits evaluate`: how good a model is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    """A model, and what was found about it."""

    manifest: Manifest
    study: "Study"

    def lines(self) -> Iterator[str]:
        """What is to be told of it, line by line."""
        figures = self.study.figures
        kept, calibration = (
            figures["rejection"]["kept"],
            figures["calibration"]["error"],
        )
        yield f"{self.manifest.version} on {len(self.study.test):,} digits of {self._dataset}"
        yield f"accuracy {_interval(figures['accuracy'])}"
        yield f"loss {figures['loss']:.4f}, calibration error {calibration:.4f}"
        for digit, share in figures["digits"].items():
            yield f"  {digit}: {share['share']:.4f}"
        yield f"taken for digits {_interval(kept)}"
        for name, found in figures["rejection"]["sets"].items():
            yield f"{name}, of {found['rejected']['of']:,}: rejected {_interval(found['rejected'])}"
        yield f"pictures as sent: right {figures['pictures']['right']:.4f}"
        yield f"corruptions: right {figures['corruptions']['mean']:.4f}"
        for name, found in figures["comparisons"].items():
            yield f"against {name}, {found['version']} ({found['accuracy']['share']:.4f}): p {found['p']:.3g}"

    @property
    def _dataset(self) -> str:
        return f"{self.manifest.dataset} {self.manifest.dataset_version}"

    def write(self, folder: Path) -> None:
        """Write the report into a folder, which is made."""
        from training.packaging import report  # noqa: PLC0415  it loads TensorFlow

        folder.mkdir(parents=True, exist_ok=True)
        for name, data in report.files(self.manifest, self.study).items():
            (folder / name).write_bytes(data)


def evaluate(
    store: Store, version: str | None, negatives: Sequence[Path], count: int | None
) -> Evaluated:
    """Study a model.

    Args:
        store: has the version of the dataset that the model was trained on, and the
            model, unless it is bundled.
        version: the model, or `bundled`; without one, the live one.
        negatives: folders of PNG files, none of them a digit.
        count: digits for each corruption and severity, and for each kind of picture; as
            a training takes, without it.

    Raises:
        InvalidParameterError: a folder holds no PNG files.
        UnknownError: there is no such model, or the store lacks the version of the
            dataset that it was trained on.
    """
    others = {folder.name: _pngs(folder) for folder in negatives}
    manifest, model = catalogue.load_model(
        store, version or releases.live_version(store)
    )
    dataset = versions.find(store, manifest.dataset, manifest.dataset_version)
    with without_notices():
        threshold = Classifier(manifest, model).threshold
    # They load TensorFlow: seconds, and notices of its own, for which nobody waits who
    # mistyped a name.
    from training.evaluation import baselines  # noqa: PLC0415
    from training.evaluation.study import samples, study  # noqa: PLC0415
    from training.input import fetch  # noqa: PLC0415

    test = fetch(store, dataset, "test")
    found = study(
        model,
        threshold,
        test,
        count=count or samples(test),
        exports={"int8": model},
        rivals=baselines.find(store, manifest),
        others=others,
    )
    return Evaluated(manifest, found)


def _pngs(folder: Path) -> list[bytes]:
    pngs = [path.read_bytes() for path in sorted(folder.glob("*.png"))]
    if not pngs:
        raise InvalidParameterError(
            f"The folder {folder} holds no PNG files. Give one that does."
        )
    return pngs


def _interval(share: dict[str, Any]) -> str:
    return f"{share['share']:.4f} (95 % confidence interval {share['low']:.4f} to {share['high']:.4f})"
