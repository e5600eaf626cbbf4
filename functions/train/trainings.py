"""Trainings: submitted once, followed, cancelled. The store's record decides; Batch only runs them."""

import hashlib
import logging
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from batch_client import Batch, BatchError, BatchJob, BatchRefusedError
from digits import datasets, documents, jobs, outcomes
from digits.errors import (
    ConflictError,
    DamagedObjectError,
    InvalidParameterError,
    StoreError,
    UnknownError,
)
from digits.jobs import Records, Request, Result
from digits.parameters import Parameters
from digits.store import Store

# A job younger than this may be on its way to Batch still: the function that submits it
# may run for 29 s. Or Batch does not show it yet.
_SUBMISSION_GRACE = timedelta(seconds=60)
_POLL_SECONDS = 0.5
_KEYED = "key-"
CANCELLED = "Cancelled by"
DEFAULT_DATASETS = ("mnist", "starter")

logger = logging.getLogger(__name__)


class Trainings:
    """The jobs of one store and one queue."""

    def __init__(self, store: Store, batch: Batch) -> None:
        self._store = store
        self._batch = batch

    def submit(self, parameters: Parameters, idempotency_key: str | None) -> str:
        """Start a training.

        Batch has no idempotency token, so the key becomes the job id, and creating the
        job's record claims it.

        Returns:
            The job id: of the same training for the same key.

        Raises:
            BatchRefusedError: Batch does not take the job; nothing is left of it.
            BatchError: Batch did not answer. The same key finds out what became of the job.
            ConflictError: the dataset is being converted.
            InvalidDatasetError: its upload was refused.
            InvalidParameterError: the key was used for other parameters.
            UnknownError: there is no such dataset.
        """
        request = Request.new(
            _job_id(idempotency_key), self._dataset(parameters.dataset), parameters
        )
        try:
            jobs.create_job(self._store, request)
        except ConflictError:
            self._repeat(request.job_id, parameters)
        else:
            self._hand_over(request)
        return request.job_id

    def state(self, job_id: str) -> dict[str, Any]:
        """How a training is: status (Batch's word), reason, progress, and what came of it.

        Raises:
            DamagedObjectError: a record of it cannot be read.
            UnknownError: there is no such job.
        """
        records = jobs.load_job(self._store, job_id)
        return self._state(records, self._describe([records]))

    def states(
        self, after: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """`state` of a page of jobs, newest first, and what to ask for the next page with.

        Of a job with a record that cannot be read there is `problem` instead.
        """
        page = jobs.list_job_ids(self._store, after)
        found = jobs.load_jobs(self._store, page.ids)
        known = self._describe(
            [records for records in found.values() if isinstance(records, Records)]
        )
        return [
            self._state_or_problem(job_id, records, known)
            for job_id, records in found.items()
        ], page.next

    def wait(self, job_id: str, seconds: float) -> dict[str, Any]:
        """`state` when the job is over, or after this many seconds."""
        deadline = time.monotonic() + seconds
        while (
            time.monotonic() < deadline
            and jobs.load_result(self._store, job_id) is None
        ):
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
        # The decision first: a training whose end is decided does not release its model.
        if outcomes.end(self._store, job_id, Result.failed(reason)).reason != reason:
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
        return self._end(request, BatchJob.from_json(detail))

    def _repeat(self, job_id: str, parameters: Parameters) -> None:
        """See that a job is the one that is asked for, and that it goes its way."""
        records = jobs.load_job(self._store, job_id)
        self._check_repeat(records.request, parameters)
        jobs.index_job(
            self._store, records.request
        )  # Whoever claimed the key may have come no further.
        self._state(records, self._describe([records]))

    def _check_repeat(self, request: Request, parameters: Parameters) -> None:
        if request.training_parameters() != parameters:
            raise InvalidParameterError(
                "This Idempotency-Key was used for a training with other parameters. Send a new key.",
                job_id=request.job_id,
            )

    def _hand_over(self, request: Request) -> None:
        """Submit a recorded job."""
        try:
            batch_job_id = self._batch.submit(request.job_id)
        except BatchRefusedError:
            jobs.delete_request(self._store, request.job_id)
            raise
        self._note_batch_id(request, batch_job_id)

    def _note_batch_id(self, request: Request, batch_job_id: str) -> None:
        """Keep Batch's id. Batch has the job, whether the store takes the id or not, and finds it by its name."""
        try:
            jobs.update_request(self._store, request.in_batch(batch_job_id))
        except StoreError as error:
            logger.warning(
                "The Batch id of job %s was not kept: %s", request.job_id, error.detail
            )

    def _recover(self, request: Request) -> Result | None:
        """See to a job of which it is not known whether Batch has it.

        One with an idempotency key is handed over now: its caller may have been told
            that it is accepted, and repeats the key if not. The caller of another one
            was told of a failure, and does not know it.
        """
        batch_job_id = self._batch.find(request.job_id)
        if batch_job_id:
            self._note_batch_id(request, batch_job_id)
        elif request.job_id.startswith(_KEYED):
            self._hand_over(request)
        else:
            reason = "It never reached AWS Batch. Start a new training."
            return outcomes.end(self._store, request.job_id, Result.failed(reason))
        return None

    def _dataset(self, name: str | None) -> datasets.DatasetVersion:
        if name:
            return datasets.latest_version(self._store, name)
        present = self._store.folders("datasets")
        return datasets.latest_version(
            self._store,
            next((n for n in DEFAULT_DATASETS if n in present), DEFAULT_DATASETS[0]),
        )

    def _describe(self, found: list[Records]) -> dict[str, BatchJob]:
        """What Batch knows of the jobs that are not over, by its id."""
        open_ids = [
            records.request.batch_job_id for records in found if records.result is None
        ]
        return self._batch.describe(
            [batch_job_id for batch_job_id in open_ids if batch_job_id]
        )

    def _state_or_problem(
        self,
        job_id: str,
        records: Records | DamagedObjectError,
        known: dict[str, BatchJob],
    ) -> dict[str, Any]:
        try:
            if isinstance(records, DamagedObjectError):
                raise records
            return self._state(records, known)
        except (BatchError, DamagedObjectError) as error:
            return {"job_id": job_id, "problem": error.detail}

    def _state(self, records: Records, known: dict[str, BatchJob]) -> dict[str, Any]:
        request, progress = records.request, records.progress
        job = known.get(request.batch_job_id or "")
        result = records.result or self._result(request, job)
        parameters = {
            name: value
            for name, value in request.parameters.items()
            if name != "dataset"
        }
        return {
            "job_id": request.job_id,
            "status": result.status if result else job.status if job else "SUBMITTED",
            "reason": result.reason if result else job.reason if job else "",
            "created": request.created.isoformat(),
            "dataset": request.dataset,
            "dataset_version": request.dataset_version,
            "parameters": parameters,
            "progress": documents.to_json(progress) if progress else None,
            "accuracy": result.accuracy if result else None,
            "model_version": result.model_version if result else None,
            "released": result.released if result else False,
        }

    def _result(self, request: Request, job: BatchJob | None) -> Result | None:
        """How a job without a result ended, if that can be said now."""
        if job:
            return self._end(request, job)
        if datetime.now(UTC) - request.created < _SUBMISSION_GRACE:
            return None
        if request.batch_job_id is None:
            return self._recover(request)
        return outcomes.end(
            self._store,
            request.job_id,
            Result.failed("AWS Batch does not know this job."),
        )

    def _end(self, request: Request, job: BatchJob) -> Result | None:
        """The result of a job that Batch says is over. A container that could not say it itself gets one from us."""
        if job.status == "FAILED":
            reason = job.reason or "The training container failed."
        elif job.status == "SUCCEEDED":
            reason = "The training container ended without a result."
        else:
            return None
        jobs.delete_checkpoint(
            self._store, request.job_id
        )  # A cancelled training saves its last epoch, too.
        return outcomes.end(self._store, request.job_id, Result.failed(reason))


def _job_id(idempotency_key: str | None) -> str:
    if idempotency_key:
        return f"{_KEYED}{hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]}"
    return str(uuid.uuid4())
