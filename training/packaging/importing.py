"""Makes a model version of weights that were trained elsewhere."""

from datetime import UTC, datetime
from pathlib import Path

from digits.datasets.versions import DatasetVersion
from digits.models import manifests
from digits.models.manifests import MODEL_FILE, Manifest
from digits.store import Store
from training.evaluation.evaluation_set import EvaluationSet, predict_evaluation_set
from training.input import fetch
from training.packaging import weights
from training.packaging.package import make_manifest, pack
from training.packaging.report import make_report, study_package


def import_weights(
    store: Store, path: Path, architecture: str, dataset: DatasetVersion
) -> Manifest:
    """Export, measure and publish the weights of a file. The model is not released.

    Args:
        store: where the model goes.
        path: HDF5 weights, as `weights.load_best_order` takes them.
        architecture: the network that the weights are of.
        dataset: to calibrate and to measure with.

    Raises:
        InvalidWeightsError: the file holds no weights of this network.
        ExportError: an export's predictions differ from the network's.
    """
    training = fetch(store, dataset, "train")
    test = fetch(store, dataset, "test")
    model = weights.load_best_order(path, architecture, test)
    package = pack(model, architecture, training, test)
    parameters = {"architecture": architecture, "imported": path.name}
    manifest = make_manifest(package, dataset, parameters, datetime.now(UTC))
    evaluation_set = EvaluationSet.draw(test)
    predictions = predict_evaluation_set(
        package.files[MODEL_FILE], evaluation_set, package.predictions
    )
    study = study_package(store, manifest, package, evaluation_set, predictions)
    files = package.files | make_report(manifest, study)
    manifests.publish(store, manifest, files)
    return manifest
