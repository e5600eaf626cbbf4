"""Keeps LiteRT's notices from the terminal."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_NOTICE = b"INFO: "
_STDERR = 2


@contextmanager
def without_notices() -> Iterator[None]:
    """Hold back stderr, and write it at the end without LiteRT's notices.

    At the first model, LiteRT reports from C++ that it has created the XNNPACK delegate.
    Its log level cannot be set from Python. For commands with one thread only: in a
    server, other threads would write to the held stderr.
    """
    stderr = os.dup(_STDERR)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(stderr, _STDERR)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if not line.startswith(_NOTICE):
                    os.write(_STDERR, line)
