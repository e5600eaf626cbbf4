"""A training job, from its request to its model, which is released if it passes the release gate.

A job that is run again with the same id goes on where it was.
"""

import logging
from datetime import UTC, datetime

from digits import jobs, outcomes
from digits.datasets import versions
from digits.errors import (
    DamagedObjectError,
    DigitsError,
    MissingObjectError,
    StoreError,
)
from digits.jobs import Request, Result
from digits.models import manifests
from digits.models.manifests import Manifest
from digits.store import Store
from training.fitting.checkpoint import Checkpoint
from training.fitting.expected import expected_seconds
from training.fitting.phases import Phases
from training.fitting.progress import display, published

logger = logging.getLogger(__name__)


def run(store: Store, job_id: str) -> Result:
    """Do a job. If the job's end is decided already, finish only what is left.

    A failure is recorded as the job's result. An interruption (SIGTERM, SIGKILL) is
    not recorded, and neither is a store that does not answer, so that the job can be
    run again.

    Returns:
        How the job ended.

    Raises:
        StoreError: the store does not answer.
        UnknownError: there is no such job.
    """
    ended = outcomes.resume_end(store, job_id)
    if ended is None:
        ended = outcomes.end_job(store, job_id, _attempt(store, job_id))
        logger.info("Job %s: %s. %s", job_id, ended.status, ended.reason)
    Checkpoint(store, job_id).delete()
    return ended


def _attempt(store: Store, job_id: str) -> Result:
    """Train, and return how the job ends. Nothing is recorded yet."""
    try:
        request = jobs.load_request(store, job_id)
    except DamagedObjectError as error:
        logger.error("Job %s: %s", job_id, error.detail)  # noqa: TRY400  the message says it all
        return Result.failed(
            f"The job cannot be read. {error.detail} Start a new training."
        )
    try:
        return _train(store, request)
    except (DamagedObjectError, MissingObjectError) as error:
        return Result.failed(error.detail)
    except StoreError:
        raise
    except DigitsError as error:
        return Result.failed(error.detail)
    except Exception as error:
        logger.exception("Job %s failed", job_id)
        return Result.failed(
            f"The training failed unexpectedly ({type(error).__name__}). Its log says why."
        )


def _train(store: Store, request: Request) -> Result:
    dataset = versions.find_version(store, request.dataset, request.dataset_version)
    expected = expected_seconds(dataset.counts, request.training_parameters())
    phases = Phases(expected)
    logger.info("Job %s trains on %s %s", request.job_id, dataset.name, dataset.version)
    with published(store, request.job_id, phases), display(phases):
        phases.enter("fetching")
        from training import pipeline  # noqa: PLC0415  it loads TensorFlow, which takes seconds

        trained = pipeline.train_model(store, request, dataset, phases)
        phases.enter("publishing")
        ended = outcomes.resume_end(store, request.job_id)
        if ended:
            return ended
        manifests.publish(store, trained.manifest, trained.files)
    return Result(
        status="SUCCEEDED",
        reason=_explain(trained.manifest, trained.release_blockers),
        finished=datetime.now(UTC),
        accuracy=trained.manifest.metrics["accuracy"],
        model_version=trained.manifest.version,
        released=not trained.release_blockers,
    )


def _explain(manifest: Manifest, release_blockers: list[str]) -> str:
    """Why a model is released or not, for a person."""
    if not release_blockers:
        return f"Released with accuracy {manifest.metrics['accuracy']:.4f}"
    blockers = "; ".join(release_blockers)
    release = f"POST /models/{manifest.version}/release"
    return f"Not released: {blockers}. To release the model anyway: {release}"
