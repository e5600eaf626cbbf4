"""What a soak runs in: S3 and AWS Batch behind proxies that inject faults, and processes that are killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import uvicorn
from starlette.applications import Starlette

from local.aws_batch import batch_api
from local.aws_batch.job_queue import JobQueue
from tests.faults import Fault, FaultProxy
from tests.moto_server import CREDENTIALS, moto_server

ROOT = Path(__file__).parents[2]
BUCKET = "digits-soak"
# As Batch's, but for machines that are in a hurry.
_GRACE_SECONDS = 0.5


@dataclass
class Worker:
    """A process that may be doomed.

    Attributes:
        name: for the log.
        process: what runs.
        log: its stdout and stderr.
        deadline: when it is killed, by `time.monotonic`; None if it may end by itself.
        how: what it is killed with: SIGTERM, and SIGKILL after a grace, or SIGKILL.
        kills: how many signals it was sent.
    """

    name: str
    process: subprocess.Popen[str]
    log: Path
    deadline: float | None
    how: signal.Signals
    kills: int = 0

    def is_over(self) -> bool:
        """Whether it has ended. Kills it when its time has come."""
        if self.process.poll() is not None:
            return True
        if self.deadline is not None and time.monotonic() >= self.deadline:
            self.process.send_signal(self.how)
            self.kills += 1
            self.deadline, self.how = time.monotonic() + _GRACE_SECONDS, signal.SIGKILL
        return False

    def doom(self, how: signal.Signals) -> None:
        """Kill it when it is looked at next, unless its time has been set before."""
        if self.deadline is None:
            self.deadline, self.how = time.monotonic(), how

    def wait(self, seconds: float) -> int:
        """Its exit status, negative if a signal ended it.

        Raises:
            TimeoutError: it has not ended by itself.
        """
        end = time.monotonic() + seconds
        while not self.is_over():
            if time.monotonic() > end:
                self.process.kill()
                self.process.wait()
                raise TimeoutError(
                    f"{self.name} did not end in {seconds} s: {self.log.read_text()[-2000:]}"
                )
            time.sleep(0.01)
        return self.process.returncode


class World:
    """AWS on this machine, as a context manager.

    Args:
        folder: takes logs, temporary files and Batch's records.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs = JobQueue(folder / "batch")
        self._stack = ExitStack()
        self._started = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.s3 = stack.enter_context(
                FaultProxy(stack.enter_context(moto_server(BUCKET)))
            )
            self.batch = stack.enter_context(
                FaultProxy(stack.enter_context(_serve_batch(self.jobs)))
            )
            self._stack = stack.pop_all()
        os.environ.update(self._variables())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def use(self, store_url: str) -> None:
        """Have functions and trainings work on this store from now on."""
        os.environ["DIGITS_STORE"] = store_url

    def start(
        self,
        name: str,
        *command: str,
        given: str = "",
        variables: Mapping[str, str] | None = None,
        seconds: float | None = None,
        how: signal.Signals = signal.SIGKILL,
    ) -> Worker:
        """Start Python with a command.

        Args:
            name: for the log.
            command: Python's arguments.
            given: its stdin.
            variables: of its environment, besides what the template gives all.
            seconds: after this it is killed; None lets it end by itself.
            how: the signal to kill it with.
        """
        self._started += 1
        log = self.folder / f"{self._started:05}-{name}.log"
        temporary = self.temporary(name)
        temporary.mkdir(exist_ok=True)
        environment = {**os.environ, "TMPDIR": str(temporary), **(variables or {})}
        source = log.with_suffix(".json")
        source.write_text(given)
        with source.open() as stdin, log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=environment,
                stdin=stdin,
                stdout=output,
                stderr=output,
                text=True,
            )
        return Worker(
            name,
            process,
            log,
            None if seconds is None else time.monotonic() + seconds,
            how,
        )

    def temporary(self, name: str) -> Path:
        """Where processes of this name put temporary files."""
        return self.folder / f"temporary-{name}"

    def clear(self) -> None:
        """End all faults."""
        self.s3.clear()
        self.batch.clear()

    def take_faults(self) -> list[Fault]:
        """The faults since this was asked last."""
        seen = self.s3.requests() + self.batch.requests()
        self.s3.forget()
        self.batch.forget()
        return [fault for request in seen for fault in request.faults]

    def _variables(self) -> dict[str, str]:
        return CREDENTIALS | {
            "AWS_ENDPOINT_URL": self.s3.url,
            "AWS_ENDPOINT_URL_BATCH": f"{self.batch.url}{batch_api.PATH}",
            "DIGITS_JOB_QUEUE": "queue",
            "DIGITS_JOB_DEFINITION": "training",
            # Look for a release at each request.
            "DIGITS_RELEASE_TTL": "0",
            "POWERTOOLS_SERVICE_NAME": "digits",
            "POWERTOOLS_METRICS_NAMESPACE": "Digits",
            "POWERTOOLS_LOG_LEVEL": "ERROR",
        }


@contextmanager
def _serve_batch(jobs: JobQueue) -> Iterator[str]:
    """The URL of an AWS Batch that keeps jobs and runs none."""
    app = Starlette(routes=[batch_api.batch_routes(jobs)])
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    (port,) = {
        socket.getsockname()[1]
        for listener in server.servers
        for socket in listener.sockets
    }
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()
