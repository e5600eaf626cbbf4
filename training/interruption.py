"""Ends the process on SIGTERM, whatever the process does: on a Spot reclaim or a cancellation.

The job then has no result, so that it can be run again.
"""

import os
import signal
import sys
import time
from threading import Thread
from types import FrameType
from typing import NoReturn

# What a shell reports of a process that SIGTERM ended: 128 + 15.
EXIT_CODE = 143
# Time to delete temporary files. AWS Batch kills the process after 30 s, `local` after 10 s.
_GRACE_SECONDS = 5.0


def install() -> None:
    """Handle SIGTERM from now on. Call this before importing TensorFlow, which takes seconds.

    Process 1 of a container has no default handler. Python runs a handler between two
    steps of the main thread, which may wait minutes for a store, or may run library
    code that catches what the handler raises. So another thread ends the process if the
    main thread does not.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGTERM, _leave)
    # The interpreter writes each signal's number to the pipe at once.
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    Thread(target=_watch, args=(reading,), daemon=True).start()


def _leave(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    sys.exit(EXIT_CODE)


def _watch(reading: int) -> NoReturn:
    while os.read(reading, 1)[0] != signal.SIGTERM:
        continue
    time.sleep(_GRACE_SECONDS)
    os._exit(EXIT_CODE)
