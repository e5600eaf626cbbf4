"""SIGTERM ends the process, whatever it does at that moment: a Spot reclaim or a cancellation.

The job has no result then, so that it can be run again.
"""

import os
import signal
import sys
import time
from threading import Thread
from types import FrameType
from typing import NoReturn

# 128 + SIGTERM, what a shell reports.
EXIT_CODE = 143
# To leave without temporary files. AWS Batch gives 30 s, and a machine of one's own 10.
_GRACE_SECONDS = 5.0


def install() -> None:
    """Handle SIGTERM from now on. To be called before TensorFlow is imported, which takes seconds.

    As process 1 of a container nothing else would end this one. Python runs a handler
    between two steps of the main thread, which may be in a request to a store that does
    not answer for minutes, or where a library swallows what the handler raises. So
    another thread ends the process when the main thread has not.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGTERM, _leave)
    # The interpreter writes each signal's number there, at once.
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    Thread(target=_watch, args=(reading,), daemon=True).start()


def _leave(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    sys.exit(EXIT_CODE)


def _watch(reading: int) -> NoReturn:
    while os.read(reading, 1)[0] != signal.SIGTERM:
        continue
    time.sleep(_GRACE_SECONDS)
    os._exit(EXIT_CODE)
