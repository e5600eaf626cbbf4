"""A round: random faults and kills while clients work, then a calm time until the work ends."""

import os
from datetime import timedelta
from random import Random

import trainings
from digits.datasets.uploads import upload_key
from digits.store import Store
from local.eventbridge.events import job_state_change
from tests.faults import Fault, FaultProxy
from tests.soak import checks
from tests.soak.client import Client
from tests.soak.clients import Clients, random_npz
from tests.soak.journal import Journal
from tests.soak.machines import Machines, Training
from tests.soak.world import World

STEPS = 10
# Parts of the keys whose requests get faults. "" matches all keys, and is drawn more often.
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
# A client waits for seconds for an answer to a request that hangs, and S3 itself does not
# repeat conflicts.
ONCE = {Fault.HANG, Fault.CONDITIONAL_CONFLICT, Fault.PRECONDITION_FAILED}
QUICK = Training("tests.soak.quick_training", seconds=2)
REAL = Training("training", seconds=25)


class Round:
    """One round.

    Args:
        world: where the round is.
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
        self._store = _open_without_faults(world, store_url)
        world.use(store_url)
        self._client = Client(world)
        training = REAL if is_real else QUICK
        self._machines = Machines(world, self._store, random, training, journal)
        self._clients = Clients(
            self._store, self._client, self._machines, random, journal
        )

    def play(self) -> None:
        """Play the round.

        Raises:
            Violation: an invariant does not hold.
        """
        if "mnist" not in checks.stored_names(self._store, "datasets"):
            self._store.write(upload_key("mnist"), random_npz(self._random))
            self._machines.convert("mnist")
        before = checks.permanent_objects(self._store)
        self._add_faults()
        for _ in range(STEPS):
            self._clients.act()
            self._machines.reap()
        self._journal.add("No more faults.")
        self._world.clear()
        self._finish()
        answered = self._clients.outstanding.answered
        checks.check(self._world, self._store, before, answered)

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

    def _finish(self) -> None:
        """Clients repeat the requests without an answer, and machines do the remaining work."""
        self._machines.finish()
        # The control plane waits before it decides about a job that Batch may not have.
        # No round waits as long.
        grace, trainings._SUBMISSION_GRACE = trainings._SUBMISSION_GRACE, timedelta(0)
        try:
            self._clients.repeat_uploads()
            self._clients.repeat_requests()
            # A list submits the jobs that Batch lacks. The second turn runs these jobs.
            for _ in range(2):
                self._machines.run_all()
                for job in self._machines.known_jobs():
                    self._client.notify(job_state_change(job))
                list(checks.pages(self._client, "/train", "jobs"))
        finally:
            trainings._SUBMISSION_GRACE = grace
        # The server deletes old temporary files when it starts.
        for path in self._store.leftovers(timedelta(0)):
            path.unlink()


def _open_without_faults(world: World, store_url: str) -> Store:
    """Open the store past the proxy."""
    with_faults = os.environ["AWS_ENDPOINT_URL"]
    os.environ["AWS_ENDPOINT_URL"] = world.s3.upstream
    try:
        return Store(store_url)
    finally:
        os.environ["AWS_ENDPOINT_URL"] = with_faults
