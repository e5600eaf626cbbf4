"""The random requests of clients in a round, and the repeats after the faults."""

import io
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import numpy as np

from digits.datasets.uploads import upload_key
from digits.models import manifests
from digits.store import Store
from local.eventbridge.events import job_state_change
from tests.conftest import ROOT
from tests.soak import checks
from tests.soak.client import Answer, Client, Violation
from tests.soak.journal import Journal
from tests.soak.machines import Machines

DATASETS = ("mnist", "tiny")
UPLOAD_SECONDS = 5
# A client without an answer repeats a release this number of times.
RELEASE_ATTEMPTS = 3
# The shares of uploads that lack a member, of conversions that are killed, and so on.
REFUSED_SHARE = 0.1
KILLED_CONVERSIONS = 0.5
KILLED_TRAININGS = 0.6
KILLED_FUNCTIONS = 0.15
WITHOUT_KEY_SHARE = 0.2


@dataclass
class Outstanding:
    """Requests that a client may have to repeat, because a fault may have prevented them.

    Attributes:
        uploads: by dataset; None for an upload that has arrived.
        trainings: bodies, by idempotency key.
        cancellations: job ids.
        releases: versions, by reason.
        answered: reasons of the releases that the service has answered.
    """

    uploads: dict[str, bytes | None] = field(default_factory=dict)
    trainings: dict[str, dict[str, Any]] = field(default_factory=dict)
    cancellations: set[str] = field(default_factory=set)
    releases: dict[str, str] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)


class Clients:
    """Sends random requests.

    Args:
        store: without faults.
        client: sends the requests.
        machines: convert and train.
        random: decides on everything.
        journal: takes what happens.
    """

    def __init__(
        self,
        store: Store,
        client: Client,
        machines: Machines,
        random: Random,
        journal: Journal,
    ) -> None:
        self._store = store
        self._client = client
        self._machines = machines
        self._random = random
        self._journal = journal
        self.outstanding = Outstanding()

    def act(self) -> None:
        """Do one thing at random."""
        actions = [
            self._upload,
            self._train,
            self._train,
            self._run_training,
            self._run_training,
            self._cancel,
            self._release,
            self._list,
            self._notify,
            self._predict,
        ]
        self._random.choice(actions)()

    def repeat_uploads(self) -> None:
        """Upload what has not arrived, and convert all uploads, without faults.

        Raises:
            Violation: an upload or a conversion fails.
        """
        for name, npz in self.outstanding.uploads.items():
            answer = self._client.expect("POST", "/datasets", 200, body={"name": name})
            upload_url = answer.body["upload_url"]
            if npz is not None and not self._put(upload_url, name, npz):
                raise Violation(f"The upload of {name} fails without a fault.")
            self._machines.convert(name)

    def repeat_requests(self) -> None:
        """Send the outstanding requests again, without faults.

        Raises:
            Violation: the service refuses one of the requests.
        """
        expect = self._client.expect
        for key, body in self.outstanding.trainings.items():
            headers = {"Idempotency-Key": key}
            expect("POST", "/train", 202, body=body, headers=headers)
        for job_id in sorted(self.outstanding.cancellations):
            expect("DELETE", "/train/{job_id}", 200, 404, 409, job_id=job_id)
        for reason, version in self.outstanding.releases.items():
            resource, body = "/models/{version}/release", {"reason": reason}
            expect("POST", resource, 201, body=body, version=version)
        self.outstanding.answered |= set(self.outstanding.releases)

    def _upload(self) -> None:
        name, npz = self._random.choice(DATASETS), random_npz(self._random)
        self.outstanding.uploads[name] = npz
        answer = self._ask("POST", "/datasets", {"name": name})
        if answer.status != httpx.codes.OK:
            return
        if self._put(answer.body["upload_url"], name, npz):
            self.outstanding.uploads[name] = None
            doomed = self._random.random() < KILLED_CONVERSIONS
            self._machines.start_conversion(name, doomed=doomed)

    def _put(self, url: str, name: str, npz: bytes) -> bool:
        """Whether an upload arrives."""
        # No server serves a folder.
        if self._store.url.startswith("file:"):
            self._store.write(upload_key(name), npz)
            return True
        try:
            status = httpx.put(url, content=npz, timeout=UPLOAD_SECONDS).status_code
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
        if self._random.random() < WITHOUT_KEY_SHARE:
            self._ask("POST", "/train", body)
            return
        key = f"{self._random.getrandbits(64):016x}"
        self.outstanding.trainings[key] = body
        self._ask("POST", "/train", body, headers={"Idempotency-Key": key})

    def _run_training(self) -> None:
        waiting = self._machines.unfinished_jobs()
        if waiting:
            job = self._random.choice(waiting)
            doomed = self._random.random() < KILLED_TRAININGS
            self._machines.start_training(job, doomed=doomed)

    def _cancel(self) -> None:
        job_ids = [job.job_name for job in self._machines.unfinished_jobs()]
        job_ids = job_ids or checks.stored_names(self._store, "jobs")
        if job_ids:
            job_id = self._random.choice(job_ids)
            self.outstanding.cancellations.add(job_id)
            self._ask("DELETE", "/train/{job_id}", job_id=job_id)

    def _release(self) -> None:
        versions = [manifests.BUNDLED, *checks.stored_names(self._store, "models")]
        version = self._random.choice(versions)
        reason = f"Soak {self._random.getrandbits(64):016x}"
        self.outstanding.releases[reason] = version
        resource, body = "/models/{version}/release", {"reason": reason}
        for _ in range(RELEASE_ATTEMPTS):
            answer = self._ask("POST", resource, body, version=version)
            if answer.status == httpx.codes.CREATED:
                del self.outstanding.releases[reason]
                self.outstanding.answered.add(reason)
                return

    def _list(self) -> None:
        resource = self._random.choice(("/train", "/models", "/datasets"))
        answer = self._ask("GET", resource)
        # 0: the function was killed.
        if answer.status not in {0, httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE}:
            raise Violation(f"GET {resource} answered {answer}.")

    def _notify(self) -> None:
        """EventBridge tells of a job, for the first time or again."""
        known = self._machines.known_jobs()
        if known:
            try:
                self._client.notify(job_state_change(self._random.choice(known)))
            except Exception as error:  # noqa: BLE001  EventBridge tries again after any error.
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
        """Send a request, and sometimes kill the function meanwhile."""
        kill_after = None
        if self._random.random() < KILLED_FUNCTIONS:
            kill_after = self._random.uniform(0.8, 2.5)
        answer = self._client.call(
            method, resource, body, kill_after=kill_after, **more
        )
        was_killed = answer.status == 0
        self._journal.count(
            "train processes killed" if was_killed else f"answers {answer.status}"
        )
        request = f"{method} {resource} {more} {body or ''}"
        self._journal.add(f"{request}: {answer.status} {str(answer.body)[:300]}")
        return answer


def random_npz(random: Random) -> bytes:
    """An upload of 60 digits. A share of the uploads lacks a member, and must be refused."""
    start = random.randrange(100)
    train, test = slice(start, start + 60), slice(start, start + 20)
    members = {}
    with np.load(ROOT / "data" / "starter.npz") as starter:
        for name in starter.files:
            members[name] = starter[name][train if name.endswith("train") else test]
    if random.random() < REFUSED_SHARE:
        del members["y_test"]
    buffer = io.BytesIO()
    np.savez(buffer, **members)
    return buffer.getvalue()
