"""Weights that were trained elsewhere become a model version like any other."""

from datetime import UTC, datetime
from pathlib import Path

from digits.datasets.versions import DatasetVersion
from digits.models import manifests
from digits.models.manifests import MODEL_FILE, Manifest
from digits.store import Store
from training.evaluation.trial import Pictures, try_on
from training.input import fetch
from training.packaging import report, weights
from training.packaging.package import describe, pack


def publish(
    store: Store, path: Path, architecture: str, dataset: DatasetVersion
) -> Manifest:
    """Export, measure and publish the weights of a file. They are not released.

    Args:
        store: where the model goes.
        path: HDF5 weights, as `weights.load_best_order` takes them.
        architecture: the network that they are of.
        dataset: to calibrate and to measure with.

    Raises:
        InvalidWeightsError: the file holds no weights of this network.
        ExportError: an export does not answer as the network does.
    """
    training, test = fetch(store, dataset, "train"), fetch(store, dataset, "test")
    package = pack(
        weights.load_best_order(path, architecture, test), architecture, training, test
    )
    manifest = describe(
        package,
        dataset,
        {"architecture": architecture, "imported": path.name},
        datetime.now(UTC),
    )
    pictures = Pictures.draw(test)
    trial = try_on(package.files[MODEL_FILE], pictures, package.answers)
    manifests.publish(
        store,
        manifest,
        package.files | report.on(store, manifest, package, pictures, trial),
    )
    return manifest
