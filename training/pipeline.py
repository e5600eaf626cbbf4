"""What a job does between its request and its result. It loads TensorFlow."""

from dataclasses import dataclass

from digits.datasets.versions import DatasetVersion
from digits.jobs import Request
from digits.models.manifests import MODEL_FILE, SCORE, Manifest
from digits.store import Store
from training.evaluation import gate
from training.evaluation.trial import Pictures, try_on
from training.fitting import fit
from training.fitting.checkpoint import Checkpoint
from training.fitting.progress import Phases
from training.input import fetch
from training.packaging import report
from training.packaging.package import describe, pack


@dataclass(frozen=True)
class Made:
    """A model that can be published.

    Attributes:
        manifest: describes it.
        files: content by name, the report on it among them.
        objections: why it should not be released; none, if it may be.
    """

    manifest: Manifest
    files: dict[str, bytes]
    objections: list[str]


def make(
    store: Store, request: Request, dataset: DatasetVersion, phases: Phases
) -> Made:
    """Make the model that a job asks for, from its last checkpoint if there is one.

    Raises:
        DamagedObjectError: the dataset cannot be trusted.
        ExportError: an export does not answer as the network does.
        InvalidDatasetError: there is nothing to train on.
        InvalidParameterError: the training diverged.
        StoreError: the store does not answer.
    """
    parameters = request.training_parameters()
    examples, test = fetch(store, dataset, "train"), fetch(store, dataset, "test")
    fitted = fit.train(
        examples,
        parameters,
        phases=phases,
        checkpoint=Checkpoint(store, request.job_id),
    )
    phases.enter("exporting")
    package = pack(fitted.model, parameters.architecture, examples, test)
    manifest = describe(
        package, dataset, parameters.model_dump(exclude={"dataset"}), request.created
    )
    phases.enter("evaluating")
    model, pictures = package.files[MODEL_FILE], Pictures.draw(test)
    trial = try_on(model, pictures, package.answers)
    objections = gate.objections(
        store, model, package.thresholds[SCORE], pictures, trial
    )
    return Made(
        manifest,
        package.files | report.on(store, manifest, package, pictures, trial),
        objections,
    )
