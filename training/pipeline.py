"""The work of a training job between its request and its result. This module loads TensorFlow."""

from dataclasses import dataclass

from digits.datasets.versions import DatasetVersion
from digits.jobs import Request
from digits.models.manifests import Manifest
from digits.store import Store
from training.evaluation.evaluation_set import EvaluationSet, predict_evaluation_set
from training.evaluation.gate import find_release_blockers
from training.fitting import fit
from training.fitting.checkpoint import Checkpoint
from training.fitting.phases import Phases
from training.input import fetch
from training.packaging.package import make_manifest, pack
from training.packaging.report import make_report, study_package


@dataclass(frozen=True)
class TrainedModel:
    """A model that can be published.

    Attributes:
        manifest: the model's manifest.
        files: content by name, the report's files included.
        release_blockers: the reasons against releasing the model; empty if the model
            may be released.
    """

    manifest: Manifest
    files: dict[str, bytes]
    release_blockers: list[str]


def train_model(
    store: Store, request: Request, dataset: DatasetVersion, phases: Phases
) -> TrainedModel:
    """Train, export and evaluate a model, from the job's last checkpoint if there is one.

    Raises:
        DamagedObjectError: the dataset is damaged.
        ExportError: an export's predictions differ from the network's.
        InvalidDatasetError: there are no examples to train on.
        InvalidParameterError: the training diverged.
        StoreError: the store does not answer.
    """
    parameters = request.training_parameters()
    training = fetch(store, dataset, "train")
    test = fetch(store, dataset, "test")
    checkpoint = Checkpoint(store, request.job_id)
    fitted = fit.train(training, parameters, phases=phases, checkpoint=checkpoint)

    phases.enter("exporting")
    package = pack(fitted.model, parameters.architecture, training, test)
    documented = parameters.model_dump(exclude={"dataset"})
    manifest = make_manifest(package, dataset, documented, request.created)
    model = package.exported_model(manifest.version)

    phases.enter("evaluating")
    evaluation_set = EvaluationSet.draw(test)
    predictions = predict_evaluation_set(
        model.tflite, evaluation_set, package.predictions
    )
    blockers = find_release_blockers(store, model, evaluation_set, predictions)
    study = study_package(store, manifest, package, evaluation_set, predictions)
    files = package.files | make_report(manifest, study)
    return TrainedModel(manifest, files, blockers)
