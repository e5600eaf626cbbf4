"""Checks the training jobs in a store."""

from functools import partial

from digits import jobs, parallel
from digits.doctor.examination import Examination
from digits.jobs import Result


def check_jobs(examination: Examination, complete: set[str]) -> int:
    """Check every job.

    Args:
        examination: of the store.
        complete: the models that are complete and undamaged.

    Returns:
        The number of jobs.
    """
    job_ids = examination.names("jobs")
    parallel.each(partial(_check_job, examination, complete), job_ids)
    return len(job_ids)


def _check_job(examination: Examination, complete: set[str], job_id: str) -> None:
    folder = f"jobs/{job_id}"
    remedy = f"Delete {folder} if nobody needs the record of this job."
    arguments = examination.store, job_id
    request = examination.load(
        f"{folder}/request.json", remedy, partial(jobs.load_request, *arguments)
    )
    claim = examination.load(
        f"{folder}/claim.json", remedy, partial(jobs.load_claim, *arguments)
    )
    result = examination.load(
        f"{folder}/result.json", remedy, partial(jobs.load_result, *arguments)
    )
    if f"{folder}/result.json" in examination.entries:
        if result:
            _check_result(examination, complete, job_id, claim, result)
            _check_checkpoint(examination, job_id)
        return
    examination.load(
        f"{folder}/progress.json", remedy, partial(jobs.load_progress, *arguments)
    )
    if request and examination.is_abandoned(folder):
        _add_unfinished(examination, job_id, claim)


def _check_result(
    examination: Examination,
    complete: set[str],
    job_id: str,
    claim: Result | None,
    result: Result,
) -> None:
    key = f"jobs/{job_id}/result.json"
    if claim and not _is_same_end(claim, result):
        examination.add(
            key,
            "The result differs from the decision in claim.json.",
            "Compare both files, and release the model that should be live.",
        )
    if result.model_version and result.model_version not in complete:
        problem = f"Model {result.model_version} is missing, incomplete or damaged."
        examination.add(key, problem, "Train again.")


def _is_same_end(claim: Result, result: Result) -> bool:
    """Whether two results agree; `released` and `reason` depend on what came after the claim."""
    is_same_status = claim.status == result.status
    return is_same_status and claim.model_version == result.model_version


def _check_checkpoint(examination: Examination, job_id: str) -> None:
    checkpoint = jobs.checkpoint_key(job_id)
    if checkpoint in examination.entries and examination.is_abandoned(f"jobs/{job_id}"):
        problem = "The checkpoint belongs to a job that has ended."
        examination.add(checkpoint, problem, "Delete the file.")


def _add_unfinished(
    examination: Examination, job_id: str, claim: Result | None
) -> None:
    if claim:
        problem = (
            "The job's end was decided, but not carried out: "
            "there is a claim.json, and no result.json."
        )
    else:
        problem = "The job has no result, and made no progress for a long time."
    remedy = (
        f"GET /train/{job_id} records what Batch says. "
        f"`digits train --job-id {job_id}` finishes the job here."
    )
    examination.add(f"jobs/{job_id}", problem, remedy)
