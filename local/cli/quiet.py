"""LiteRT's notices, kept from the terminal."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_NOTICE = b"INFO: "
_STDERR = 2


@contextmanager
def without_notices() -> Iterator[None]:
    """Hold back what is written to stderr, and pass it on afterwards without LiteRT's notices.

    With the first model, LiteRT says that it created its XNNPACK delegate. It does so
    from C++, and its level is a variable that the library keeps to itself. For commands
    with one thread: in a server, others write there meanwhile.
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
