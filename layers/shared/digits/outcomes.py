"""How a training ends: one atomic claim decides, then its model is released, then the result is recorded.

A training, a cancellation and the news of a failure may all try to end a job at the
same time, and each may die at any step. The first to create claim.json decides; whoever
comes later, a repeated attempt too, does what is left to do.
"""

from dataclasses import replace

from digits import jobs
from digits.errors import ConflictError, UnknownError
from digits.jobs import Result
from digits.models import releases
from digits.store import Store


def end(store: Store, job_id: str, result: Result) -> Result:
    """End a job, unless that was decided before.

    Args:
        store: has the job, and its model if it is to be released.
        job_id: the job.
        result: how it is to end. With `released`, its model is released.

    Returns:
        How it ended.
    """
    ended = resume(store, job_id)
    if ended:
        return ended
    if result.released:
        result = replace(result, releases_before=releases.newest_number(store))
    return _carry_out(store, job_id, jobs.claim_result(store, job_id, result))


def resume(store: Store, job_id: str) -> Result | None:
    """Do what is left to do of a job whose end was decided.

    Returns:
        How it ended; None while that is open.
    """
    result = jobs.load_result(store, job_id)
    if result:
        return result
    claim = jobs.load_claim(store, job_id)
    return _carry_out(store, job_id, claim) if claim else None


def _carry_out(store: Store, job_id: str, decided: Result) -> Result:
    if decided.released and decided.model_version:
        try:
            releases.release(
                store,
                decided.model_version,
                f"Job {job_id} trained it",
                after=decided.releases_before,
            )
        except (ConflictError, UnknownError) as error:
            decided = replace(
                decided, released=False, reason=f"Not released: {error.detail}"
            )
    return jobs.record_result(store, job_id, decided)
