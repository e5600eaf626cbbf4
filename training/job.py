"""A training job from its request to its model, which is released if it is good enough.

Run again with the same id, it goes on where it was.
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
from digits.store import Store
from training.fitting import expected
from training.fitting.checkpoint import Checkpoint
from training.fitting.progress import Phases, display, published

logger = logging.getLogger(__name__)


def run(store: Store, job_id: str) -> Result:
    """Do the job, unless it is over, or was decided to be: then what is left of its end.

    A failure is recorded as the job's result. An interruption (SIGTERM, SIGKILL) is
    not, and neither is a store that does not answer, so that the job can be run again.

    Returns:
        How the job ended.

    Raises:
        StoreError: the store does not answer.
        UnknownError: there is no such job.
    """
    ended = outcomes.resume(store, job_id)
    if ended is None:
        ended = outcomes.end(store, job_id, _try(store, job_id))
        logger.info("Job %s: %s. %s", job_id, ended.status, ended.reason)
    Checkpoint(store, job_id).delete()
    return ended


def _try(store: Store, job_id: str) -> Result:
    """How the job is to end."""
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
    dataset = versions.find(store, request.dataset, request.dataset_version)
    phases = Phases(expected.seconds(dataset.counts, request.training_parameters()))
    logger.info("Job %s trains on %s %s", request.job_id, dataset.name, dataset.version)
    with published(store, request.job_id, phases), display(phases):
        phases.enter("fetching")
        from training import pipeline  # noqa: PLC0415  it loads TensorFlow, which takes seconds

        made = pipeline.make(store, request, dataset, phases)
        phases.enter("publishing")
        ended = outcomes.resume(store, request.job_id)
        if ended:
            return ended
        manifests.publish(store, made.manifest, made.files)
    accuracy = made.manifest.metrics["accuracy"]
    if made.objections:
        how = f"POST /models/{made.manifest.version}/release"
        reason = f"Not released: {'; '.join(made.objections)}. It can be: {how}"
    else:
        reason = f"Released with accuracy {accuracy:.4f}"
    return Result(
        status="SUCCEEDED",
        reason=reason,
        finished=datetime.now(UTC),
        accuracy=accuracy,
        model_version=made.manifest.version,
        released=not made.objections,
    )
