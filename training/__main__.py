"""The training container's entry point: `python -m training`, with the job's id in `DIGITS_JOB_ID`."""

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

# Nobody waits for an answer, and what has been trained for hours is not lost to an
# outage of minutes.
PATIENCE = timedelta(minutes=5)

logger = logging.getLogger(__name__)


def main() -> int:
    """Do one job.

    Returns:
        The exit code: 0 when the job is done or was over before, 1 when it failed, 75
            (`EX_TEMPFAIL`) when the store does not answer, so that it should be run
            again.
    """
    interruption.install()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("training").setLevel(logging.INFO)
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument(
        "--job-id",
        default=os.environ.get("DIGITS_JOB_ID"),
        help="without it, DIGITS_JOB_ID",
    )
    job_id = parser.parse_args().job_id
    if not job_id:
        parser.error("give --job-id, or set DIGITS_JOB_ID")
    try:
        return _run(Store(Settings.from_environment().store, patience=PATIENCE), job_id)
    except (DamagedObjectError, MissingObjectError, UnknownError) as error:
        logger.error("Job %s cannot end. %s", job_id, error.detail)  # noqa: TRY400  the message says it all
        return 1
    except StoreError as error:
        logger.error("Job %s goes on when it is run again. %s", job_id, error.detail)  # noqa: TRY400
        return os.EX_TEMPFAIL


def _run(store: Store, job_id: str) -> int:
    was_over = outcomes.resume_end(store, job_id) is not None
    return 0 if job.run(store, job_id).status == "SUCCEEDED" or was_over else 1


if __name__ == "__main__":
    sys.exit(main())
