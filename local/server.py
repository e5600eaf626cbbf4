"""The whole service on one machine: gateway, functions, training jobs and watched uploads."""

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
# asyncio accepts this many connections in a row, before the protocol counts them.
ACCEPTED_AT_ONCE = 32
# Further connections wait in the kernel.
QUEUED_BY_KERNEL = 1024
# Running requests get this long when the server stops.
STOP_SECONDS = 2
# No write takes this long, so an older part of a file is a leftover.
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
        port: a port number; 0 for any free port.
        container: the environment of trainings; None if this machine cannot train.
        root: the folder of template.yaml and of the functions' code.
        host: an address of this machine to listen on.

    Returns:
        The exit status: 1 if the server cannot start. The reason is on stderr.
    """
    logging.basicConfig(format="%(levelname)s:     %(message)s")
    # Stop at SIGTERM as at Ctrl-C. The first process of a container has no default
    # action, so that Docker would wait and then kill it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt), address.listen(host, port) as listener:
            # Without this option the second packet of a response waits 40 ms for the
            # acknowledgement of the first. Accepted sockets inherit the option. asyncio
            # sets it only on sockets that name their protocol, unlike these.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _run(Service(root, listener, container), listener)
    except DigitsError as error:
        sys.stderr.write(f"{error.detail}\n")
        return 1
    return 0


class Service:
    """All parts of the server. `app` is the HTTP side."""

    def __init__(
        self, root: Path, listener: socket.socket, container: Container | None
    ) -> None:
        self._url = address.own_url(listener)
        batch_path = batch_api.secret_path()
        variables = _variables(root, self._url, batch_path)
        definition = template.read_template(root / "template.yaml")
        self.store = Store(variables["DIGITS_STORE"])
        for path in self.store.leftovers(LEFTOVER_AGE):
            path.unlink(missing_ok=True)
        state = _state_folder(self.store.url, root)
        is_exposed = not address.is_loopback(listener)
        self._access = Access.from_environment(os.environ, state, is_exposed=is_exposed)
        self._starter = offer_starter(self.store, root / "data" / "starter.npz")
        self._watcher = Watcher(self.store, self._on_upload)

        self._pools = {}
        for name, function in definition.functions.items():
            self._pools[name] = Pool(function, root, variables, os.cpu_count() or 1)
        self._convert = self._pools[definition.function_in(CONVERT).name]
        train = self._pools[definition.function_in(TRAIN).name]
        self._state_changes = events.Deliveries(train)

        jobs = JobQueue(state)
        self._runner = None
        if container:
            job_variables = variables | _job_variables(root)
            self._runner = Runner(
                jobs, container, root, job_variables, self._on_state_change
            )
        routes: list[BaseRoute] = [
            uploads.upload_route(self.store),
            batch_api.batch_routes(jobs, batch_path),
        ]
        if container is None:
            routes.append(Route("/train", refuse_training, methods=["POST"]))
            routes.append(Route("/train/", refuse_training, methods=["POST"]))
        application = gateway.application(
            definition, self._pools, routes, self._lifespan
        )
        self._waiting = Waiting(application, float(variables["DIGITS_MAX_WAIT"]))
        self.app = self._access.guard(self._waiting, batch_path)

    def close(self) -> None:
        """Answer the requests that wait for a training."""
        self._waiting.close()

    async def end_environments(self) -> None:
        """End the functions' processes. Their requests get a problem as the answer."""
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        await asyncio.gather(*(pool.warm_up() for pool in self._pools.values()))
        if self._starter:  # A ready server has a dataset to train on.
            await self._watcher.announce(self._starter)
        tasks = [asyncio.create_task(self._watcher.run())]
        if self._runner:
            tasks.append(asyncio.create_task(self._runner.run()))
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
        event = events.object_created(self.store.url, entry)
        return await events.invoke(self._convert, event)

    async def _on_state_change(self, job: Job) -> None:
        self._state_changes.send(events.job_state_change(job))


def offer_starter(store: Store, npz: Path) -> Entry | None:
    """Upload the starter dataset to an empty store, so that a training can begin at once.

    Returns:
        The upload of the starter dataset, unless the store has a dataset.
    """
    if store.folders("datasets"):
        return None
    if npz.exists() and not store.entries(UPLOAD_FOLDER):
        store.write(STARTER_KEY, npz.read_bytes())
    for entry in store.entries(UPLOAD_FOLDER):
        if entry.key == STARTER_KEY:
            return entry
    return None


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # asyncio has one setting for accepted and for queued connections.
        for listener in sockets or []:
            listener.listen(QUEUED_BY_KERNEL)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # From here on, connections are cut off on purpose.
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
    # The path of the Batch API is secret, and health checks come every few seconds.
    access_log.leave_out(f"{batch_api.PATH}/", "/health")
    with suppress(KeyboardInterrupt):
        _Server(config, service).run([listener])
    sys.stdout.write(
        "\nStopped. A running training continues, and the next start follows it.\n"
    )


def _variables(root: Path, url: str, batch_path: str) -> dict[str, str]:
    """The environment variables of functions and jobs. The caller's variables replace defaults."""
    defaults = {
        "DIGITS_RELEASE_TTL": "0",
        "DIGITS_MAX_WAIT": "3600",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_SERVICE_NAME": "digits",
        # Nobody collects metrics here, and each metric is a line on the terminal.
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
    variables.pop(keys.VARIABLE, None)  # No function needs the API key.
    # A proxy cannot reach the local Batch API, and must not learn its secret path.
    direct = variables.get("no_proxy") or variables.get("NO_PROXY", "")
    own_host = urlsplit(url).netloc.rpartition(":")[0]
    for name in ("no_proxy", "NO_PROXY"):
        variables[name] = f"{direct},{own_host}"
    is_folder = variables["DIGITS_STORE"].startswith("file:")
    if is_folder and not variables.get("AWS_ACCESS_KEY_ID"):
        # boto3 signs its requests to the local Batch API, where any key will do.
        variables |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    return variables


def _job_variables(root: Path) -> dict[str, str]:
    """The environment variables that only jobs get."""
    return {"PYTHONPATH": str(root / "layers" / "shared"), "PYTHONUNBUFFERED": "1"}


def _state_folder(store: str, root: Path) -> Path:
    """The folder of a store's jobs. Of a store that is a folder, a part, to be deleted with it."""
    url = urlsplit(store)
    if url.scheme == "file":
        return Path(unquote(url.path), ".batch")
    name = hashlib.sha256(store.encode()).hexdigest()[:12]
    return state_folder(root) / ".batch" / name


def _report_crash(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        logger.critical(
            "Jobs or uploads are no longer processed. Restart the server.",
            exc_info=error,
        )
