"""Trainings: submitted once, followed, cancelled. The store's record decides; Batch only runs them."""

import hashlib
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from batch import Batch, BatchError, BatchJob
from digits import datasets, jobs
from digits.errors import ConflictError, InvalidParameterError, UnknownError
from digits.jobs import Parameters, Request, Result
from digits.store import Store

# A job younger than this may be on its way to Batch still, or be one that DescribeJobs does not show yet.
_SUBMISSION_GRACE = timedelta(seconds=60)
_POLL_SECONDS = 0.5
CANCELLED = "Cancelled by"
DEFAULT_DATASETS = ("mnist", "starter")


class Trainings:
    """The jobs of one store and one queue."""

    def __init__(self, store: Store, batch: Batch) -> None:
        self._store = store
        self._batch = batch

    def submit(self, parameters: Parameters, idempotency_key: str | None) -> str:
        """Start a training.

        Batch has no idempotency token, so the key becomes the job id, and creating the job's record claims it.

        Returns:
            The job id: of the same training for the same key.

        Raises:
            UnknownError: there is no such dataset.
            InvalidDatasetError: its upload was refused.
            InvalidParameterError: the key was used for other parameters.
            BatchError: Batch did not take the job; nothing is left of it.
        """
        request = Request.new(_job_id(idempotency_key), self._dataset(parameters.dataset), parameters)
        try:
            jobs.create(self._store, request)
        except ConflictError:
            request = jobs.load_request(self._store, request.job_id)
            self._check_repeat(request, parameters)
            return request.job_id
        try:
            batch_job_id = self._batch.submit(request.job_id)
        except BatchError:
            jobs.discard(self._store, request.job_id)
            raise
        self._note_batch_id(request, batch_job_id)
        return request.job_id

    def state(self, job_id: str) -> dict[str, Any]:
        """How a training is: status (Batch's word), reason, progress, and what came of it.

        Raises:
            UnknownError: there is no such job.
        """
        request = jobs.load_request(self._store, job_id)
        result = jobs.load_result(self._store, job_id)
        known = self._batch.describe([request.batch_job_id]) if request.batch_job_id and not result else {}
        return self._state(request, result, known)

    def states(self) -> list[dict[str, Any]]:
        """`state` of the newest jobs, newest first."""
        requests = [jobs.load_request(self._store, job_id) for job_id in jobs.list_ids(self._store)]
        results = [jobs.load_result(self._store, request.job_id) for request in requests]
        pairs = list(zip(requests, results, strict=True))
        known = self._batch.describe([r.batch_job_id for r, result in pairs if r.batch_job_id and not result])
        return [self._state(request, result, known) for request, result in pairs]

    def wait(self, job_id: str, seconds: float) -> dict[str, Any]:
        """`state` when the job is over, or after so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and jobs.load_result(self._store, job_id) is None:
            time.sleep(_POLL_SECONDS)
        return self.state(job_id)

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Stop a training; its status becomes FAILED.

        Raises:
            ConflictError: it is over already.
            UnknownError: there is no such job.
        """
        request = jobs.load_request(self._store, job_id)
        reason = f"{CANCELLED} DELETE /train/{job_id}"
        # The record first: a training does not release its model once there is a result.
        if jobs.fail(self._store, job_id, reason).reason != reason:
            raise ConflictError(f"Job {job_id} is over already. Its result stays.")
        if request.batch_job_id:
            self._batch.terminate(request.batch_job_id, reason)
        return self.state(job_id)

    def on_state_change(self, detail: dict[str, Any]) -> Result | None:
        """Take note of what EventBridge says of a job, in any order and any number of times.

        Args:
            detail: of a "Batch Job State Change" event; `jobName` is our job id.

        Returns:
            How the job ended; None when it has not, or is no training of ours.
        """
        try:
            request = jobs.load_request(self._store, detail["jobName"])
        except UnknownError:
            return None
        if request.batch_job_id is None:
            self._note_batch_id(request, detail["jobId"])
        return self._result(request, BatchJob.from_json(detail))

    def _note_batch_id(self, request: Request, batch_job_id: str) -> None:
        jobs.update(self._store, request.model_copy(update={"batch_job_id": batch_job_id}))

    def _dataset(self, name: str | None) -> datasets.DatasetVersion:
        if name:
            return datasets.latest(self._store, name)
        present = self._store.folders("datasets")
        return datasets.latest(self._store, next((n for n in DEFAULT_DATASETS if n in present), DEFAULT_DATASETS[0]))

    def _check_repeat(self, request: Request, parameters: Parameters) -> None:
        if request.parameters != parameters:
            raise InvalidParameterError(
                "This Idempotency-Key was used for a training with other parameters. Send a new key.",
                job_id=request.job_id,
            )

    def _state(self, request: Request, result: Result | None, known: dict[str, BatchJob]) -> dict[str, Any]:
        job = known.get(request.batch_job_id or "")
        if result is None and job:
            result = self._result(request, job)
        elif result is None and datetime.now(UTC) - request.created > _SUBMISSION_GRACE:
            result = jobs.fail(self._store, request.job_id, "AWS Batch does not know this job.")
        progress = jobs.load_progress(self._store, request.job_id)
        return {
            "job_id": request.job_id,
            "status": result.status if result else job.status if job else "SUBMITTED",
            "reason": result.reason if result else job.reason if job else "",
            "created": request.created.isoformat(),
            "dataset": request.dataset,
            "dataset_version": request.dataset_version,
            "parameters": request.parameters.model_dump(exclude={"dataset"}),
            "progress": progress.model_dump(mode="json") if progress else None,
            "accuracy": result.accuracy if result else None,
            "model_version": result.model_version if result else None,
            "released": result.released if result else False,
        }

    def _result(self, request: Request, job: BatchJob) -> Result | None:
        """The result of a job that Batch says is over. A container that could not say it itself gets one from us."""
        if job.status == "FAILED":
            return jobs.fail(self._store, request.job_id, job.reason or "The training container failed.")
        if job.status == "SUCCEEDED":
            return jobs.fail(self._store, request.job_id, "The training container ended without a result.")
        return None


def _job_id(idempotency_key: str | None) -> str:
    if idempotency_key:
        return f"key-{hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]}"
    return str(uuid.uuid4())
