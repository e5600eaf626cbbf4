"""The whole service on one machine: gateway, functions, training jobs and the watch on uploads."""

import asyncio
import hashlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from digits.datasets.uploads import UPLOAD_FOLDER, upload_key
from digits.errors import DigitsError
from digits.store import Entry, Store
from local import template
from local.api_gateway import access_log, address, connections, gateway, keys
from local.api_gateway.access import Access
from local.api_gateway.waiting import Waiting
from local.aws_batch import batch_api
from local.aws_batch.container import Container, refuse_training
from local.aws_batch.job_queue import Job, JobQueue
from local.aws_batch.runner import Runner
from local.aws_lambda.pool import Pool
from local.banner import banner
from local.checkout import ROOT, state_folder, store_url
from local.eventbridge import events
from local.eventbridge.watcher import Watcher
from local.s3 import uploads

TRAIN, CONVERT = "functions/train", "functions/convert"
STARTER_KEY = upload_key("starter")
# Connections that the event loop accepts before it comes to count them, and those that
# wait for that.
ACCEPTED_AT_ONCE, QUEUED_BY_KERNEL = 32, 1024
# Requests at work when the server stops get this long.
STOP_SECONDS = 2
# No write takes this long.
LEFTOVER_AGE = timedelta(hours=1)

logger = logging.getLogger(__name__)


def serve(
    port: int,
    container: Container | None,
    root: Path = ROOT,
    *,
    host: str = address.LOOPBACK,
) -> int:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        port: 0 takes any free one.
        container: what trainings run in; None where there can be none.
        root: folder of template.yaml, and of the code that it names.
        host: an address of this machine to listen on.

    Returns:
        The exit status: 1 when the server could not start, which it has said on stderr.
    """
    logging.basicConfig(format="%(levelname)s:     %(message)s")
    # As Ctrl-C, from now on: a container's first process has no default, and Docker
    # would wait and then kill it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt), address.listen(host, port) as listener:
            # Accepted sockets inherit it. asyncio sets it only on sockets that name
            # their protocol, which these do not, and without it the second packet of an
            # answer waits 40 ms for the acknowledgement of the first.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _run(Service(root, listener, container), listener)
    except DigitsError as error:
        sys.stderr.write(f"{error.detail}\n")
        return 1
    return 0


class Service:
    """Everything that runs, wired together. `app` is its HTTP side."""

    def __init__(
        self, root: Path, listener: socket.socket, container: Container | None
    ) -> None:
        self._url = address.own_url(listener)
        batch_path = batch_api.secret_path()
        variables = _variables(root, self._url, batch_path)
        definition = template.read_template(root / "template.yaml")
        train, convert = definition.function_in(TRAIN), definition.function_in(CONVERT)
        self.store = Store(variables["DIGITS_STORE"])
        for path in self.store.leftovers(LEFTOVER_AGE):
            path.unlink(missing_ok=True)
        state = _state_folder(self.store.url, root)
        self._access = Access.from_environment(
            os.environ, state, is_exposed=not address.is_loopback(listener)
        )
        jobs = JobQueue(state)

        self._pools = {
            name: Pool(function, root, variables, os.cpu_count() or 1)
            for name, function in definition.functions.items()
        }
        self._convert = self._pools[convert.name]
        self._state_changes = events.Deliveries(self._pools[train.name])
        self._starter = offer_starter(self.store, root / "data" / "starter.npz")
        self._watcher = Watcher(self.store, self._on_upload)
        job_variables = {
            "PYTHONPATH": str(root / "layers" / "shared"),
            "PYTHONUNBUFFERED": "1",
        }
        self._runner = container and Runner(
            jobs, container, root, variables | job_variables, self._on_state_change
        )
        extra_routes: list[BaseRoute] = [
            uploads.upload_route(self.store),
            batch_api.batch_routes(jobs, batch_path),
        ]
        if container is None:
            extra_routes += [
                Route(path, refuse_training, methods=["POST"])
                for path in ("/train", "/train/")
            ]
        application = gateway.application(
            definition, self._pools, extra_routes, self._lifespan
        )
        self._waiting = Waiting(application, float(variables["DIGITS_MAX_WAIT"]))
        self.app = self._access.guard(self._waiting, batch_path)

    def close(self) -> None:
        """Let no request wait any longer for a training."""
        self._waiting.close()

    async def end_environments(self) -> None:
        """End the functions' processes. Requests that they are at work on are answered with a problem."""
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        await asyncio.gather(*(pool.warm_up() for pool in self._pools.values()))
        if self._starter:  # Ready means that a training can begin.
            await self._watcher.announce(self._starter)
        work = [self._watcher.run(), *([self._runner.run()] if self._runner else [])]
        tasks = [asyncio.create_task(each) for each in work]
        for task in tasks:
            task.add_done_callback(_report_crash)
        sys.stdout.write(banner(self._url, self._access))
        sys.stdout.flush()
        yield
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self._state_changes.close()
        await self.end_environments()

    async def _on_upload(self, entry: Entry) -> bool:
        return await events.invoke(
            self._convert, events.object_created(self.store.url, entry)
        )

    async def _on_state_change(self, job: Job) -> None:
        self._state_changes.send(events.job_state_change(job))


def offer_starter(store: Store, npz: Path) -> Entry | None:
    """Upload the starter dataset to a store that has no data, so that a training can begin at once.

    Returns:
        The upload, as long as the store has no dataset.
    """
    if store.folders("datasets"):
        return None
    if npz.exists() and not store.entries(UPLOAD_FOLDER):
        store.write(STARTER_KEY, npz.read_bytes())
    return next(
        (entry for entry in store.entries(UPLOAD_FOLDER) if entry.key == STARTER_KEY),
        None,
    )


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:  # asyncio takes one number for both.
            listener.listen(QUEUED_BY_KERNEL)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Whatever is cut off from here on is cut off on purpose.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self._service.close()
        cut_off = asyncio.create_task(self._cut_off())
        await super().shutdown(sockets)
        cut_off.cancel()

    async def _cut_off(self) -> None:
        await asyncio.sleep(STOP_SECONDS)
        await self._service.end_environments()


def _run(service: Service, listener: socket.socket) -> None:
    config = uvicorn.Config(
        service.app,
        http=connections.Protocol,
        backlog=ACCEPTED_AT_ONCE,
        ws="none",
        lifespan="on",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_SECONDS + 1,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    # The first is a secret, and health checks come every few seconds.
    access_log.leave_out(f"{batch_api.PATH}/", "/health")
    with suppress(KeyboardInterrupt):
        _Server(config, service).run([listener])
    sys.stdout.write(
        "\nStopped. A training that runs goes on; the next start follows it.\n"
    )


def _variables(root: Path, url: str, batch_path: str) -> dict[str, str]:
    """The environment variables of functions and jobs: the caller's own ones count where they are only defaults."""
    defaults = {
        "DIGITS_RELEASE_TTL": "0",
        "DIGITS_MAX_WAIT": "3600",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_SERVICE_NAME": "digits",
        # Nobody collects them here, and each is a line on the terminal.
        "POWERTOOLS_METRICS_DISABLED": "true",
    }
    fixed = {
        "DIGITS_STORE": store_url(root),
        "DIGITS_JOB_QUEUE": "local",
        "DIGITS_JOB_DEFINITION": "training",
        "DIGITS_UPLOAD_PATH": f"/{UPLOAD_FOLDER}/",
        "AWS_ENDPOINT_URL_BATCH": f"{url}{batch_path}",
    }
    variables = defaults | os.environ | fixed
    variables.pop(keys.VARIABLE, None)  # No function needs it.
    # The path of the server's own Batch is a secret, and a proxy could not reach it.
    direct = f"{variables.get('no_proxy') or variables.get('NO_PROXY', '')},{urlsplit(url).netloc.rpartition(':')[0]}"
    variables |= {"no_proxy": direct, "NO_PROXY": direct}
    if variables["DIGITS_STORE"].startswith("file:") and not variables.get(
        "AWS_ACCESS_KEY_ID"
    ):
        # boto3 signs what it sends to the server's own Batch, with any key.
        variables |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    return variables


def _state_folder(store: str, root: Path) -> Path:
    """Where the jobs of a store are kept: with a folder's objects, so that deleting the folder deletes both."""
    url = urlsplit(store)
    if url.scheme == "file":
        return Path(unquote(url.path), ".batch")
    return (
        state_folder(root) / ".batch" / hashlib.sha256(store.encode()).hexdigest()[:12]
    )


def _report_crash(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        logger.critical(
            "Jobs or uploads are no longer followed. Restart the server.",
            exc_info=error,
        )
