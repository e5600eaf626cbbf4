"""`digits evaluate`: how good a model is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digits import datasets, models, releases
from digits.errors import InvalidParameterError, UnknownError
from digits.models import MANIFEST_FILE, MODEL_FILE, SCORE, Manifest
from digits.store import Store
from local.checkout import BUNDLED
from training import report, rivals
from training.input import fetch
from training.study import Study, samples, study


@dataclass(frozen=True)
class Evaluated:
    """A model, and what was found about it."""

    manifest: Manifest
    study: Study

    def lines(self) -> Iterator[str]:
        """What is to be told of it, line by line."""
        figures = self.study.figures
        kept, calibration = figures["rejection"]["kept"], figures["calibration"]["error"]
        yield f"{self.manifest.version} on {len(self.study.test):,} digits of {self.manifest.dataset}"
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

    def write(self, folder: Path) -> None:
        """Write the report into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in report.files(self.manifest, self.study).items():
            (folder / name).write_bytes(data)


def evaluate(store: Store, version: str | None, negatives: Sequence[Path], count: int | None) -> Evaluated:
    """Study a model.

    Args:
        store: has the dataset that the model was trained on, and the model, unless it is the bundled one.
        version: the model, or `bundled`; without one, the live one.
        negatives: folders of PNG files, none of them a digit.
        count: digits for each corruption and severity, and for each kind of picture; as a training takes, without it.

    Raises:
        InvalidParameterError: a folder holds no PNG files.
        UnknownError: there is no such model, or not its dataset.
    """
    others = {folder.name: [path.read_bytes() for path in sorted(folder.glob("*.png"))] for folder in negatives}
    for name, pngs in others.items():
        if not pngs:
            raise InvalidParameterError(f"Expected PNG files in the folder {name}. Found none.")
    manifest, model = _bundled() if version == "bundled" else _stored(store, version)
    test = fetch(store, datasets.latest(store, manifest.dataset), "test")
    found = study(
        model,
        manifest.thresholds[SCORE],
        test,
        count=count or samples(test),
        exports={"int8": model},
        rivals=rivals.find(store, manifest),
        others=others,
    )
    return Evaluated(manifest, found)


def _interval(share: dict[str, Any]) -> str:
    return f"{share['share']:.4f} (95 % confidence interval {share['low']:.4f} to {share['high']:.4f})"


def _bundled() -> tuple[Manifest, bytes]:
    manifest = models.parse_manifest((BUNDLED / MANIFEST_FILE).read_bytes())
    return manifest, manifest.check(MODEL_FILE, (BUNDLED / MODEL_FILE).read_bytes())


def _stored(store: Store, version: str | None) -> tuple[Manifest, bytes]:
    live = releases.live(store)
    if version is None and live is None:
        raise UnknownError("No model has been released. Train one: digits train. Or: digits evaluate bundled")
    manifest = models.load_manifest(store, version or (live and live.version) or "")
    return manifest, models.load_file(store, manifest, MODEL_FILE)
