"""Execution environments of a function: processes that start on demand and are reused."""

import asyncio
import json
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from digits.errors import DigitsError
from local.template import Function

SCRIPT = Path(__file__).with_name("runtime.py")
# Above Lambda's limit of 6 MB for an answer.
MAX_ANSWER_BYTES = 8 * 2**20
# API Gateway's timeout.
MAX_QUEUE_SECONDS = 29

logger = logging.getLogger(__name__)


class FunctionFailedError(DigitsError):
    """The handler raised, or its process ended."""

    status = HTTPStatus.BAD_GATEWAY
    slug = "function-failed"
    title = "Function failed"


class FunctionBusyError(DigitsError):
    """All environments of a function stayed busy until the timeout."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "function-busy"
    title = "Function busy"


class Environment:
    """A process that handles one event at a time.

    As on Lambda, the temporary files belong to the environment, and end with it.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        temporary: TemporaryDirectory[str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._temporary = temporary
        self._reader = reader
        self._writer = writer

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        # The end of the stream comes before the exit status.
        return self._process.returncode is None and not self._reader.at_eof()

    async def read_line(self) -> bytes:
        """The next line of the process: an empty line after the start, then answers.

        Raises:
            FunctionFailedError: the process ended, or the line is too long.
        """
        try:
            line = await self._reader.readline()
        except (OSError, ValueError) as error:
            raise FunctionFailedError(
                f"The function's answer cannot be read: {error}."
            ) from error
        if not line.endswith(b"\n"):
            raise FunctionFailedError(
                "The function's process ended. The server's log says why."
            )
        return line

    async def invoke(self, event: bytes) -> Any:
        """The answer to an event. Both are JSON, and the event is one line.

        Raises:
            FunctionFailedError: as `read_line`.
        """
        with suppress(OSError):  # `read_line` reports a process that is gone.
            self._writer.write(event + b"\n")
            await self._writer.drain()
        return json.loads(await self.read_line())

    async def stop(self) -> None:
        """Kill the process."""
        self._writer.close()
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        self._temporary.cleanup()


class Pool:
    """The environments of one function. Idle environments are reused.

    Args:
        function: the function with the handler.
        root: the folder of the template.
        variables: environment variables for all functions. They override the template's.
        limit: the most environments at once. Further events wait.
    """

    def __init__(
        self, function: Function, root: Path, variables: dict[str, str], limit: int
    ) -> None:
        self._function = function
        self._root = root
        self._variables = variables
        self._slots = asyncio.Semaphore(limit)
        self._idle: list[Environment] = []
        self._all: set[Environment] = set()

    async def warm_up(self) -> None:
        """Start an environment for the first event. A failure is logged, not raised."""
        try:
            self._idle.append(await self._start())
        except FunctionFailedError as error:
            # The process has printed its traceback.
            logger.error("%s does not start: %s", self._function.name, error.detail)  # noqa: TRY400

    async def invoke(self, event: dict[str, Any]) -> Any:
        """The handler's answer to an event.

        Raises:
            FunctionFailedError: the handler raised, or its process ended. The next
                event gets a new process.
            FunctionBusyError: all environments stayed busy until the timeout.
        """
        async with self._slot():
            environment = await self._take() or await self._start()
            try:
                answer = await environment.invoke(json.dumps(event).encode())
            except BaseException:
                # After a cancelled request too: the next request must not get its answer.
                await self._discard(environment)
                raise
            self._idle.append(environment)
        if "error" in answer:
            raise FunctionFailedError("The function failed. The server's log says why.")
        return answer["ok"]

    async def close(self) -> None:
        """End all environments, the busy ones included."""
        await asyncio.gather(*map(self._discard, list(self._all)))
        self._idle.clear()

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(MAX_QUEUE_SECONDS):
                await self._slots.acquire()
        except TimeoutError as error:
            raise FunctionBusyError(
                f"{self._function.name} is busy. Try again later."
            ) from error
        try:
            yield
        finally:
            self._slots.release()

    async def _take(self) -> Environment | None:
        while self._idle:
            environment = self._idle.pop()
            if environment.is_alive:
                return environment
            await self._discard(environment)
        return None

    async def _start(self) -> Environment:
        try:
            environment = await _spawn(self._function, self._root, self._variables)
        except OSError as error:
            raise FunctionFailedError(
                f"The function's process cannot be started: {error}."
            ) from error
        self._all.add(environment)
        try:
            await environment.read_line()
        except BaseException:
            await self._discard(environment)
            raise
        return environment

    async def _discard(self, environment: Environment) -> None:
        self._all.discard(environment)
        await environment.stop()


async def _spawn(
    function: Function, root: Path, variables: dict[str, str]
) -> Environment:
    folder = root / function.folder
    # If the gateway is killed, the process removes its folder.
    temporary = TemporaryDirectory(prefix="digits-", ignore_cleanup_errors=True)
    own = {
        "_HANDLER": function.handler,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "TMPDIR": temporary.name,
        "PYTHONPATH": os.pathsep.join([str(folder), str(root / "layers" / "shared")]),
    }
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # Keeps the script's folder off the function's path.
            str(SCRIPT),
            str(theirs.fileno()),
            cwd=folder,
            env=function.variables | variables | own,
            pass_fds=[theirs.fileno()],
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the gateway alone.
        )
    reader, writer = await asyncio.open_unix_connection(
        sock=ours, limit=MAX_ANSWER_BYTES
    )
    return Environment(process, temporary, reader, writer)
