"""The training container's entry point: `python -m training`, with the job's id in `DIGITS_JOB_ID`."""

import argparse
import logging
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from digits import jobs
from digits.settings import Settings
from digits.store import Store

# 128 + SIGTERM, what a shell reports.
INTERRUPTED = 143


def main() -> int:
    """Do one job.

    Returns:
        The exit code: 0 when the job is done or was over before, 1 when it failed.
    """
    # Before TensorFlow is imported, which takes seconds: as process 1 of a container nothing else would end us.
    signal.signal(signal.SIGTERM, _interrupt)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("training").setLevel(logging.INFO)
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("--job-id", default=os.environ.get("DIGITS_JOB_ID"), help="without it, DIGITS_JOB_ID")
    job_id = parser.parse_args().job_id
    if not job_id:
        parser.error("give --job-id, or set DIGITS_JOB_ID")
    store = Store(Settings.from_environment().store)
    if jobs.load_result(store, job_id):
        return 0

    from training import job  # noqa: PLC0415  it loads TensorFlow

    return 0 if job.run(store, job_id).status == "SUCCEEDED" else 1


def _interrupt(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    """A Spot reclaim or a cancellation: end without a result, so that the job can be run again."""
    sys.exit(INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
