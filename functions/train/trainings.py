"""Trainings: submitted once, followed, cancelled.

The store's records decide how a training is. Batch only runs trainings.
"""

import hashlib
import logging
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from batch_client import BatchClient, BatchError, BatchJob, BatchRefusedError
from digits import datasets, jobs, outcomes
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
from training_state import TrainingPage, TrainingState, UnreadableTraining

# The function that submits a job may run for 29 s, and Batch shows a new job with a
# delay. So a job younger than this may be unknown to Batch and not lost.
_SUBMISSION_GRACE = timedelta(seconds=60)
_POLL_SECONDS = 0.5
# Begins the id of a job that was submitted with an idempotency key.
_KEYED = "key-"
CANCELLED = "Cancelled by"
# Trained on without a dataset's name: the first that is in the store.
DEFAULT_DATASETS = ("mnist", "starter")

logger = logging.getLogger(__name__)


class Trainings:
    """The trainings of one store and one queue."""

    def __init__(self, store: Store, batch: BatchClient) -> None:
        self._store = store
        self._batch = batch

    def submit(self, parameters: Parameters, idempotency_key: str | None) -> str:
        """Start a training.

        Batch has no idempotency token. So the job id is made from the key, and creating
        the job's record claims the key.

        Returns:
            The job id. The same key gives the same job id.

        Raises:
            BatchRefusedError: Batch does not take the job. No record of it is left.
            BatchError: Batch did not answer. A request with the same key finds out
                whether Batch has the job.
            ConflictError: the dataset is being converted.
            InvalidDatasetError: the dataset's upload was refused.
            InvalidParameterError: the key was used for other parameters.
            UnknownError: there is no such dataset.
        """
        dataset = self._find_dataset(parameters.dataset)
        request = Request.new(_job_id(idempotency_key), dataset, parameters)
        try:
            jobs.create_job(self._store, request)
        except ConflictError:
            self._repeat(request.job_id, parameters)
        else:
            self._hand_over(request)
        return request.job_id

    def state(self, job_id: str) -> TrainingState:
        """How a training is.

        Raises:
            DamagedObjectError: a record of the training cannot be read.
            UnknownError: there is no such training.
        """
        records = jobs.load_job(self._store, job_id)
        return self._state(records, self._open_jobs([records]))

    def list_states(self, after: str | None = None) -> TrainingPage:
        """A page of the trainings, newest first.

        Args:
            after: `next` of the page before.
        """
        page = jobs.list_job_ids(self._store, after)
        loaded = jobs.load_jobs(self._store, page.ids)
        readable = [each for each in loaded.values() if isinstance(each, Records)]
        open_jobs = self._open_jobs(readable)
        trainings: list[TrainingState | UnreadableTraining] = []
        for job_id, records in loaded.items():
            try:
                if isinstance(records, DamagedObjectError):
                    raise records
                trainings.append(self._state(records, open_jobs))
            except (BatchError, DamagedObjectError) as error:
                trainings.append(UnreadableTraining(job_id, error.detail))
        return TrainingPage(trainings, page.next)

    def wait(self, job_id: str, seconds: float) -> TrainingState:
        """How a training is when it is over, or after this many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if jobs.load_result(self._store, job_id):
                break
            time.sleep(_POLL_SECONDS)
        return self.state(job_id)

    def cancel(self, job_id: str) -> TrainingState:
        """Stop a training. Its status becomes FAILED.

        Raises:
            ConflictError: the training is over.
            UnknownError: there is no such training.
        """
        request = jobs.load_request(self._store, job_id)
        reason = f"{CANCELLED} DELETE /train/{job_id}"
        # First the decision: a training whose end is decided does not release its model.
        result = outcomes.end_job(self._store, job_id, Result.failed(reason))
        if result.reason != reason:
            raise ConflictError(
                f"Job {job_id} is over. Only a job that waits or runs can be cancelled."
            )
        if request.batch_job_id:
            self._batch.terminate_job(request.batch_job_id, reason)
        return self.state(job_id)

    def on_state_change(self, detail: dict[str, Any]) -> Result | None:
        """Record what EventBridge says of a job, in any order and any number of times.

        Args:
            detail: of a "Batch Job State Change" event. `jobName` is our job id.

        Returns:
            How the job ended; None while it has not, and for jobs that are no trainings.
        """
        try:
            request = jobs.load_request(self._store, detail["jobName"])
        except UnknownError:
            return None
        if request.batch_job_id is None:
            self._save_batch_job_id(request, detail["jobId"])
        return self._end(request, BatchJob.from_json(detail))

    def _repeat(self, job_id: str, parameters: Parameters) -> None:
        """Check that a repeated key asks for the same training, and submit it if need be."""
        records = jobs.load_job(self._store, job_id)
        if records.request.training_parameters() != parameters:
            raise InvalidParameterError(
                "This Idempotency-Key was used for a training with other parameters."
                " Send a new key.",
                job_id=job_id,
            )
        # The request that claimed the key may have ended before it indexed the job.
        jobs.index_job(self._store, records.request)
        self._state(records, self._open_jobs([records]))

    def _hand_over(self, request: Request) -> None:
        """Submit a recorded job to Batch."""
        try:
            batch_job_id = self._batch.submit_job(request.job_id)
        except BatchRefusedError:
            jobs.delete_request(self._store, request.job_id)
            raise
        self._save_batch_job_id(request, batch_job_id)

    def _save_batch_job_id(self, request: Request, batch_job_id: str) -> None:
        try:
            jobs.update_request(self._store, request.in_batch(batch_job_id))
        except StoreError as error:
            # Batch has the job, and finds the job by its name.
            logger.warning(
                "The Batch id of job %s was not kept. %s", request.job_id, error.detail
            )

    def _find_dataset(self, name: str | None) -> datasets.DatasetVersion:
        if name is None:
            present = self._store.folders("datasets")
            name = next(
                (default for default in DEFAULT_DATASETS if default in present),
                DEFAULT_DATASETS[0],
            )
        return datasets.latest_version(self._store, name)

    def _open_jobs(self, trainings: list[Records]) -> dict[str, BatchJob]:
        """What Batch knows of the jobs that are not over, by Batch's own id."""
        batch_job_ids = []
        for records in trainings:
            batch_job_id = records.request.batch_job_id
            if batch_job_id and records.result is None:
                batch_job_ids.append(batch_job_id)
        return self._batch.describe_jobs(batch_job_ids)

    def _state(self, records: Records, open_jobs: dict[str, BatchJob]) -> TrainingState:
        request = records.request
        job = open_jobs.get(request.batch_job_id or "")
        result = records.result
        if result is None:
            result = self._end(request, job) if job else self._end_unknown(request)
        return TrainingState.from_records(records, job, result)

    def _end(self, request: Request, job: BatchJob) -> Result | None:
        """End a training whose container has ended without writing a result.

        Returns:
            How the training ended; None while the container waits or runs.
        """
        if job.status == "FAILED":
            reason = job.reason or "The training container failed. Its log says why."
        elif job.status == "SUCCEEDED":
            reason = "The training container ended without a result. Its log says why."
        else:
            return None
        # A cancelled training saves its last epoch, too.
        jobs.delete_checkpoint(self._store, request.job_id)
        return outcomes.end_job(self._store, request.job_id, Result.failed(reason))

    def _end_unknown(self, request: Request) -> Result | None:
        """End, or submit again, a training that Batch does not know.

        Returns:
            How the training ended; None while that is open.
        """
        if datetime.now(UTC) - request.created < _SUBMISSION_GRACE:
            return None
        if request.batch_job_id is None:
            return self._recover(request)
        reason = "AWS Batch does not know this job. Start a new training."
        return outcomes.end_job(self._store, request.job_id, Result.failed(reason))

    def _recover(self, request: Request) -> Result | None:
        """Submit or end a job of which nobody knows whether Batch has it.

        A job with an idempotency key is submitted now: its caller may have been told
        that the job is accepted, and else repeats the key. The caller of another job was
        told of a failure, and does not know the job.
        """
        batch_job_id = self._batch.find_job(request.job_id)
        if batch_job_id:
            self._save_batch_job_id(request, batch_job_id)
            return None
        if request.job_id.startswith(_KEYED):
            self._hand_over(request)
            return None
        reason = "The job never reached AWS Batch. Start a new training."
        return outcomes.end_job(self._store, request.job_id, Result.failed(reason))


def _job_id(idempotency_key: str | None) -> str:
    if idempotency_key is None:
        return str(uuid.uuid4())
    digest = hashlib.sha256(idempotency_key.encode()).hexdigest()
    return f"{_KEYED}{digest[:32]}"
