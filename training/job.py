"""A training job from its request to its model, which is released if it is good enough.

Run again with the same id, it goes on where it was.
"""

import logging
from datetime import UTC, datetime

from digits import dataset_versions, jobs, models, releases
from digits.errors import DigitsError
from digits.jobs import Progress, Request, Result
from digits.models import MODEL_FILE, SCORE, Manifest
from digits.store import Store
from training import fit, gate, report
from training.checkpoint import Checkpoint
from training.fit import Fitted
from training.input import Examples, fetch
from training.package import describe, pack
from training.progress import display

logger = logging.getLogger(__name__)


def run(store: Store, job_id: str) -> Result:
    """Do the job, unless it is over.

    A failure is recorded as the job's result. An interruption (SIGTERM, SIGKILL) is not, so that the job can be run
    again.

    Returns:
        How the job ended.

    Raises:
        UnknownError: there is no such job.
        StoreError: the store cannot even take the record of a failure.
    """
    request = jobs.load_request(store, job_id)
    try:
        return jobs.load_result(store, job_id) or _run(store, request)
    except DigitsError as error:
        logger.error("Job %s failed: %s", job_id, error.detail)  # noqa: TRY400  the message says it all
        return jobs.fail(store, job_id, error.detail)
    except Exception as error:
        logger.exception("Job %s failed", job_id)
        return jobs.fail(store, job_id, f"The training failed unexpectedly ({type(error).__name__}). Its log says why.")


def _run(store: Store, request: Request) -> Result:
    dataset = dataset_versions.find(store, request.dataset, request.dataset_version)
    checkpoint = Checkpoint(store, request.job_id)
    examples, test = fetch(store, dataset, "train"), fetch(store, dataset, "test")
    logger.info("Job %s: %d examples of %s %s", request.job_id, len(examples), dataset.name, dataset.version)
    fitted = _fit(store, request, examples, checkpoint)
    package = pack(fitted.model, request.parameters.architecture, examples, test)
    manifest = describe(package, dataset, request.parameters.model_dump(exclude={"dataset"}), request.created)
    objections = gate.objections(store, package.files[MODEL_FILE], package.thresholds[SCORE], test)
    files = package.files | report.on(store, manifest, package, test)
    result = _publish(store, request, manifest, files, objections)
    checkpoint.delete()
    return result


def _fit(store: Store, request: Request, examples: Examples, checkpoint: Checkpoint) -> Fitted:
    with display() as show:

        def report(progress: Progress) -> None:
            jobs.save_progress(store, request.job_id, progress)
            show(progress)

        return fit.train(examples, request.parameters, on_progress=report, checkpoint=checkpoint)


def _publish(
    store: Store, request: Request, manifest: Manifest, files: dict[str, bytes], objections: list[str]
) -> Result:
    cancelled = jobs.load_result(store, request.job_id)
    if cancelled:
        logger.info("Job %s is over: %s", request.job_id, cancelled.reason)
        return cancelled
    accuracy = manifest.metrics["accuracy"]
    models.publish(store, manifest, files)
    if objections:
        reason = f"Not released: {'; '.join(objections)}. It can be: POST /models/{manifest.version}/release"
    else:
        reason = f"Released with accuracy {accuracy:.4f}"
        why = f"Job {request.job_id} trained it: accuracy {accuracy:.4f} on the test split"
        releases.release(store, manifest.version, why)
    logger.info("Model %s. %s", manifest.version, reason)
    result = Result(
        status="SUCCEEDED",
        reason=reason,
        finished=datetime.now(UTC),
        accuracy=accuracy,
        model_version=manifest.version,
        released=not objections,
    )
    return jobs.finish(store, request.job_id, result)
