"""One round: random faults and kills while clients work; then none, until all is done that was asked for."""

import io
import os
from datetime import timedelta
from random import Random
from typing import Any

import httpx
import numpy as np

import trainings
from digits.datasets.uploads import upload_key
from digits.models import manifests
from digits.store import Store
from local.eventbridge.events import job_state_change
from tests.conftest import ROOT
from tests.faults import Fault, FaultProxy
from tests.soak import checks
from tests.soak.client import Answer, Client, Violation
from tests.soak.journal import Journal
from tests.soak.machines import Machines, Training
from tests.soak.world import World

STEPS = 10
DATASETS = ("mnist", "tiny")
# Parts of the keys of what is written, the more often the more depends on it.
S3_KEYS = (
    "",
    "",
    "",
    "jobs/",
    "request.json",
    "claim.json",
    "result.json",
    "releases/",
    "models/",
    "datasets/",
    "newest",
)
BATCH_KEYS = ("", "submit", "describe", "list", "terminate")
FREQUENT = (
    Fault.INTERNAL_ERROR,
    Fault.SLOW_DOWN,
    Fault.TOO_MANY_REQUESTS,
    Fault.RESET,
    Fault.LOST_REPLY,
)
RARE = (
    Fault.HANG,
    Fault.CONDITIONAL_CONFLICT,
    Fault.PRECONDITION_FAILED,
    Fault.TRUNCATED,
    Fault.LATENCY,
)
# HANG, since a client that waits for an answer waits for seconds; conflicts, since S3
# does not repeat them.
ONCE = {Fault.HANG, Fault.CONDITIONAL_CONFLICT, Fault.PRECONDITION_FAILED}
QUICK, REAL = (
    Training("tests.soak.quick_training", seconds=2),
    Training("training", seconds=25),
)


class Round:
    """Clients' requests, and what is still to come of them.

    Args:
        world: where it happens.
        store_url: the store, which earlier rounds may have used.
        random: decides on everything.
        journal: takes what happens.
        is_real: whether trainings load TensorFlow, and fit.
    """

    def __init__(
        self,
        world: World,
        store_url: str,
        random: Random,
        journal: Journal,
        *,
        is_real: bool,
    ) -> None:
        self._journal = journal
        self._world = world
        self._random = random
        self._store = _open_past_faults(world, store_url)
        world.use(store_url)
        self._client = Client(world)
        self._machines = Machines(
            world, self._store, random, REAL if is_real else QUICK, journal
        )
        # What was asked for, and may have been in vain: uploads by dataset, None for
        # those that arrived; bodies by idempotency key; job ids; versions by reason.
        self._uploads: dict[str, bytes | None] = {}
        self._trainings: dict[str, dict[str, Any]] = {}
        self._cancellations: set[str] = set()
        self._releases: dict[str, str] = {}
        self._answered: set[str] = set()

    def play(self) -> None:
        """Do the round.

        Raises:
            Violation: something does not hold.
        """
        if "mnist" not in checks.stored(self._store, "datasets"):
            self._store.write(upload_key("mnist"), _npz(self._random))
            self._machines.convert("mnist")
        before = checks.permanent(self._store)
        self._add_faults()
        operations = [
            self._upload,
            self._train,
            self._train,
            self._run_training,
            self._run_training,
            self._cancel,
        ]
        operations += [self._release, self._look, self._tell, self._predict]
        for _ in range(STEPS):
            self._random.choice(operations)()
            self._machines.take_note()
        self._journal.add("No more faults.")
        self._world.clear()
        self._finish()
        checks.check(self._world, self._store, before, self._answered)

    def _add_faults(self) -> None:
        for _ in range(self._random.randint(2, 6)):
            self._add_fault(self._world.s3, self._random.choice(S3_KEYS))
        for _ in range(self._random.randint(0, 2)):
            self._add_fault(self._world.batch, self._random.choice(BATCH_KEYS))

    def _add_fault(self, proxy: FaultProxy, key: str) -> None:
        draw = self._random
        fault = draw.choice(draw.choices((FREQUENT, RARE), (7, 3))[0])
        rule = proxy.add(
            fault,
            method=draw.choice((".*", ".*", "GET", "PUT|POST", "PUT|POST")),
            key=key,
            times=1 if fault in ONCE else draw.choice((1, 2, 5, 50)),
            probability=1 if fault in ONCE else draw.choice((0.1, 0.3, 1)),
            seed=draw.getrandbits(32),
            seconds=draw.uniform(0.05, 1),
        )
        self._journal.add(f"{proxy.url}: {rule}")

    # What clients do.

    def _upload(self) -> None:
        name, data = self._random.choice(DATASETS), _npz(self._random)
        self._uploads[name] = data
        answer = self._ask("POST", "/datasets", {"name": name})
        if answer.status == httpx.codes.OK and self._put(
            answer.body["upload_url"], name, data
        ):
            self._uploads[name] = None
            self._machines.start_conversion(name, doomed=self._random.random() < 0.5)

    def _put(self, url: str, name: str, data: bytes) -> bool:
        if self._store.url.startswith("file:"):  # Nobody serves the folder.
            self._store.write(upload_key(name), data)
            return True
        try:
            status = httpx.put(url, content=data, timeout=5).status_code
        except httpx.TransportError as error:
            self._journal.add(f"The upload of {name} fails: {error!r}")
            return False
        self._journal.add(f"The upload of {name} is answered with {status}.")
        return status == httpx.codes.OK

    def _train(self) -> None:
        body = {
            "dataset": "mnist",
            "architecture": "lab",
            "epochs": 1,
            "batch_size": 32,
            "seed": self._random.randrange(99),
        }
        if self._random.random() < 0.2:
            self._ask("POST", "/train", body)
            return
        key = f"{self._random.getrandbits(64):016x}"
        self._trainings[key] = body
        self._ask("POST", "/train", body, headers={"Idempotency-Key": key})

    def _run_training(self) -> None:
        waiting = self._world.jobs.unfinished()
        if waiting:
            self._machines.start_training(
                self._random.choice(waiting), doomed=self._random.random() < 0.6
            )

    def _cancel(self) -> None:
        job_ids = [
            job.job_name for job in self._world.jobs.unfinished()
        ] or checks.stored(self._store, "jobs")
        if job_ids:
            job_id = self._random.choice(job_ids)
            self._cancellations.add(job_id)
            self._ask("DELETE", "/train/{job_id}", job_id=job_id)

    def _release(self) -> None:
        version = self._random.choice(
            [manifests.BUNDLED, *checks.stored(self._store, "models")]
        )
        reason = f"Soak {self._random.getrandbits(64):016x}"
        self._releases[reason] = version
        # As clients do that get no answer.
        for _ in range(3):
            answer = self._ask(
                "POST", "/models/{version}/release", {"reason": reason}, version=version
            )
            if answer.status == httpx.codes.CREATED:
                del self._releases[reason]
                self._answered.add(reason)
                return

    def _look(self) -> None:
        resource = self._random.choice(("/train", "/models", "/datasets"))
        answer = self._ask("GET", resource)
        if answer.status not in {0, httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE}:
            raise Violation(f"GET {resource} answered {answer}.")

    def _tell(self) -> None:
        """EventBridge tells of a job, or tells of it again."""
        known = self._machines.known_jobs()
        if known:
            try:
                self._client.notify(job_state_change(self._random.choice(known)))
            except Exception as error:  # noqa: BLE001  EventBridge tries again, whatever it is.
                self._journal.add(f"EventBridge: {error!r}")

    def _predict(self) -> None:
        body = self._client.read_digit(self._random.randrange(10))
        self._journal.add(f"POST /predict: {body['model_version']}")

    def _ask(
        self,
        method: str,
        resource: str,
        body: dict[str, Any] | None = None,
        **more: Any,
    ) -> Answer:
        """A request, whose function is sometimes killed."""
        kill_after = (
            self._random.uniform(0.8, 2.5) if self._random.random() < 0.15 else None
        )
        answer = self._client.call(
            method, resource, body, kill_after=kill_after, **more
        )
        self._journal.count(
            f"answers {answer.status}" if answer.status else "train processes killed"
        )
        self._journal.add(
            f"{method} {resource} {more} {body or ''}: {answer.status} {str(answer.body)[:300]}"
        )
        return answer

    # What is done when the faults are over: clients repeat what was not answered, and
    # machines do what is left.

    def _finish(self) -> None:
        self._machines.finish()
        # Jobs of which it is not known whether Batch has them are seen to at once.
        grace, trainings._SUBMISSION_GRACE = trainings._SUBMISSION_GRACE, timedelta(0)
        try:
            self._repeat_uploads()
            self._repeat_requests()
            # A list sees to the jobs of which nobody else knows. Those that Batch gets
            # then are run, too.
            for _ in range(2):
                self._machines.run_all()
                for job in self._machines.known_jobs():
                    self._client.notify(job_state_change(job))
                list(checks.pages(self._client, "/train", "jobs"))
        finally:
            trainings._SUBMISSION_GRACE = grace
        # As the server does at its start, with older files.
        for path in self._store.leftovers(timedelta(0)):
            path.unlink()

    def _repeat_uploads(self) -> None:
        for name, data in self._uploads.items():
            answer = self._client.expect("POST", "/datasets", 200, body={"name": name})
            if data is not None and not self._put(
                answer.body["upload_url"], name, data
            ):
                raise Violation(f"The upload of {name} fails without a fault.")
            self._machines.convert(name)

    def _repeat_requests(self) -> None:
        for key, body in self._trainings.items():
            self._client.expect(
                "POST", "/train", 202, body=body, headers={"Idempotency-Key": key}
            )
        for job_id in sorted(self._cancellations):
            self._client.expect(
                "DELETE", "/train/{job_id}", 200, 404, 409, job_id=job_id
            )
        for reason, version in self._releases.items():
            resource = "/models/{version}/release"
            self._client.expect(
                "POST", resource, 201, body={"reason": reason}, version=version
            )
        self._answered |= set(self._releases)


def _open_past_faults(world: World, store_url: str) -> Store:
    endpoint, os.environ["AWS_ENDPOINT_URL"] = (
        os.environ["AWS_ENDPOINT_URL"],
        world.s3.upstream,
    )
    try:
        return Store(store_url)
    finally:
        os.environ["AWS_ENDPOINT_URL"] = endpoint


def _npz(random: Random) -> bytes:
    """An upload of 60 digits; rarely one that is refused."""
    with np.load(ROOT / "data" / "starter.npz") as starter:
        start = random.randrange(100)
        train, test = slice(start, start + 60), slice(start, start + 20)
        arrays = {
            name: starter[name][train if name.endswith("train") else test]
            for name in starter.files
        }
    if random.random() < 0.1:
        del arrays["y_test"]
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()
