"""AWS for a soak: S3 and Batch behind proxies that inject faults, and processes that are killed."""

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
# Batch waits longer between SIGTERM and SIGKILL.
_GRACE_SECONDS = 0.5


@dataclass
class Worker:
    """A process, which may be killed.

    Attributes:
        name: for the log.
        process: what runs.
        log: the file with stdout and stderr.
        deadline: when the process is killed, by `time.monotonic`; None if it may end by itself.
        how: SIGKILL, or SIGTERM, which SIGKILL follows after a grace.
        kills: how many signals were sent.
    """

    name: str
    process: subprocess.Popen[str]
    log: Path
    deadline: float | None
    how: signal.Signals
    kills: int = 0

    def is_over(self) -> bool:
        """Whether the process has ended. Sends a signal if the deadline has passed."""
        if self.process.poll() is not None:
            return True
        if self.deadline is not None and time.monotonic() >= self.deadline:
            self.process.send_signal(self.how)
            self.kills += 1
            self.deadline, self.how = time.monotonic() + _GRACE_SECONDS, signal.SIGKILL
        return False

    def doom(self, how: signal.Signals) -> None:
        """Let the next `is_over` kill the process, unless a deadline was set before."""
        if self.deadline is None:
            self.deadline, self.how = time.monotonic(), how

    def wait(self, seconds: float) -> int:
        """The exit status, negative if a signal ended the process.

        Raises:
            TimeoutError: the process has not ended in time.
        """
        end = time.monotonic() + seconds
        while not self.is_over():
            if time.monotonic() > end:
                self.process.kill()
                self.process.wait()
                log = self.log.read_text()[-2000:]
                raise TimeoutError(f"{self.name} did not end in {seconds} s: {log}")
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
        """Let functions and trainings use this store from now on."""
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
        """Start Python.

        Args:
            name: for the log.
            command: Python's arguments.
            given: stdin.
            variables: of the environment, besides those of all parts of the stack.
            seconds: the time until the process is killed; None lets the process end by itself.
            how: the signal to kill with.
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
        deadline = None if seconds is None else time.monotonic() + seconds
        return Worker(name, process, log, deadline, how)

    def temporary(self, name: str) -> Path:
        """The folder for temporary files of the processes of this name."""
        return self.folder / f"temporary-{name}"

    def clear(self) -> None:
        """End all faults."""
        self.s3.clear()
        self.batch.clear()

    def take_faults(self) -> list[Fault]:
        """The faults since the last call."""
        requests = self.s3.requests() + self.batch.requests()
        self.s3.forget()
        self.batch.forget()
        faults: list[Fault] = []
        for request in requests:
            faults += request.faults
        return faults

    def _variables(self) -> dict[str, str]:
        return CREDENTIALS | {
            "AWS_ENDPOINT_URL": self.s3.url,
            "AWS_ENDPOINT_URL_BATCH": f"{self.batch.url}{batch_api.PATH}",
            "DIGITS_JOB_QUEUE": "queue",
            "DIGITS_JOB_DEFINITION": "training",
            # Each request looks for a release.
            "DIGITS_RELEASE_TTL": "0",
            "POWERTOOLS_SERVICE_NAME": "digits",
            "POWERTOOLS_METRICS_NAMESPACE": "Digits",
            "POWERTOOLS_LOG_LEVEL": "ERROR",
        }


@contextmanager
def _serve_batch(jobs: JobQueue) -> Iterator[str]:
    """The URL of an AWS Batch that keeps jobs. `Machines` runs the jobs."""
    app = Starlette(routes=[batch_api.batch_routes(jobs)])
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    (listener,) = server.servers
    port = listener.sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()
