"""The training container's entry point: `python -m training`, with `DIGITS_JOB_ID` set."""

import argparse
import logging
import os
import sys
from datetime import timedelta

from digits import outcomes
from digits.errors import (
    DamagedObjectError,
    MissingObjectError,
    StoreError,
    UnknownError,
)
from digits.settings import Settings
from digits.store import Store
from training import interruption, job

# No client waits for a training, and hours of training should survive an outage of minutes.
PATIENCE = timedelta(minutes=5)

logger = logging.getLogger(__name__)


def main() -> int:
    """Do one job.

    Returns:
        The exit code: 0 if the job succeeded or was over before, 1 if the job failed,
            75 (`EX_TEMPFAIL`) if the store does not answer and the job should be run
            again.
    """
    interruption.install()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("training").setLevel(logging.INFO)
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument(
        "--job-id",
        default=os.environ.get("DIGITS_JOB_ID"),
        help="the job to do; DIGITS_JOB_ID by default",
    )
    job_id = parser.parse_args().job_id
    if not job_id:
        parser.error("pass --job-id, or set DIGITS_JOB_ID")
    store = Store(Settings.from_environment().store, patience=PATIENCE)
    try:
        return _run(store, job_id)
    except (DamagedObjectError, MissingObjectError, UnknownError) as error:
        logger.error("Job %s: %s", job_id, error.detail)  # noqa: TRY400  the message says it all
        return 1
    except StoreError as error:
        logger.error("Job %s: %s Run the job again.", job_id, error.detail)  # noqa: TRY400
        return os.EX_TEMPFAIL


def _run(store: Store, job_id: str) -> int:
    was_over = outcomes.resume_end(store, job_id) is not None
    result = job.run(store, job_id)
    return 0 if was_over or result.status == "SUCCEEDED" else 1


if __name__ == "__main__":
    sys.exit(main())
