"""The program in a Lambda execution environment: answers one event at a time.

`pool.py` starts the program with a socket's descriptor as the argument and with Lambda's
variables. An empty line reports that the handler is loaded. Then each line in is an
event, and each line out is its answer, both in JSON. Standard output stays free for logs
and metrics. The program imports nothing of this project: the path is the function's.
"""

import importlib
import json
import os
import select
import shutil
import socket
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from typing import Any

# Lambda's longest timeout. Here no invocation is ended.
_TIMEOUT_SECONDS = 900
_BUFFER_BYTES = 1 << 20

Handler = Callable[[dict[str, Any], "Context"], Any]


class Context:
    """Lambda's context object, which describes the invocation to the handler."""

    function_version = "$LATEST"

    def __init__(self) -> None:
        self.aws_request_id = str(uuid.uuid4())
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.memory_limit_in_mb = int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])
        self.invoked_function_arn = (
            f"arn:aws:lambda:us-east-1:123456789012:function:{self.function_name}"
        )
        self._deadline = time.monotonic() + _TIMEOUT_SECONDS

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation times out."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def main(descriptor: int) -> None:
    """Load the handler and answer events until the gateway closes the socket."""
    # The socket is never closed here. The gateway kills a process that hangs up, and a
    # traceback must be printed first.
    channel = socket.socket(fileno=descriptor)
    channel.set_inheritable(False)
    end = threading.Thread(target=_exit_with_gateway, args=(channel,), daemon=True)
    end.start()
    handler = _load(os.environ["_HANDLER"])
    channel.sendall(b"\n")
    try:
        for line in channel.makefile("rb", buffering=_BUFFER_BYTES):
            answer = _answer(handler, json.loads(line))
            sys.stdout.flush()
            channel.sendall(answer + b"\n")
    finally:
        # The gateway is gone. A return would end the process before the thread has
        # removed the temporary folder.
        end.join()


def _load(name: str) -> Handler:
    module, _, attribute = name.rpartition(".")
    handler: Handler = getattr(importlib.import_module(module), attribute)
    return handler


def _answer(handler: Handler, event: dict[str, Any]) -> bytes:
    try:
        return json.dumps({"ok": handler(event, Context())}).encode()
    except Exception:  # noqa: BLE001  handlers may raise anything
        traceback.print_exc()
        return b'{"error": "unhandled"}'


def _exit_with_gateway(channel: socket.socket) -> None:
    """End the process as soon as the gateway is gone, even while a handler works."""
    hang_up = select.poll()
    hang_up.register(channel, 0)
    hang_up.poll()
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
