"""The end of a training: a claim decides, the model is released, the result is recorded.

A training, a cancellation and the news of a failure may all try to end a job at the
same time, and each may die at any step. The first to create claim.json decides.
Everyone who comes later, such as a repeated attempt, does what is left to do.
"""

from dataclasses import replace

from digits import jobs
from digits.errors import ConflictError, UnknownError
from digits.jobs import Result
from digits.models import releases
from digits.store import Store


def end_job(store: Store, job_id: str, result: Result) -> Result:
    """End a job, unless the end was decided before.

    Args:
        store: has the job, and the model if the result says `released`.
        job_id: the job.
        result: how the job should end. `released` means that the model should be
            released.

    Returns:
        How the job ended.
    """
    ended = resume_end(store, job_id)
    if ended:
        return ended
    if result.released:
        result = replace(result, releases_before=releases.newest_number(store))
    return _carry_out(store, job_id, jobs.claim_result(store, job_id, result))


def resume_end(store: Store, job_id: str) -> Result | None:
    """Do what is left to do for a job whose end was decided.

    Returns:
        How the job ended; None if the end is undecided.
    """
    result = jobs.load_result(store, job_id)
    if result:
        return result
    claim = jobs.load_claim(store, job_id)
    return _carry_out(store, job_id, claim) if claim else None


def _carry_out(store: Store, job_id: str, decision: Result) -> Result:
    if decision.released and decision.model_version:
        try:
            releases.release(
                store,
                decision.model_version,
                f"Job {job_id} trained it",
                after=decision.releases_before,
            )
        except (ConflictError, UnknownError) as error:
            reason = f"Not released: {error.detail}"
            decision = replace(decision, released=False, reason=reason)
    return jobs.record_result(store, job_id, decision)
