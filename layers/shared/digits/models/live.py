"""The model to answer with: the live release of the store, or the one bundled with the code."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from aws_lambda_powertools import Logger

from digits.errors import DigitsError
from digits.models import manifests, releases
from digits.models.classifier import Classifier
from digits.models.manifests import MANIFEST_FILE, MODEL_FILE
from digits.models.releases import Served
from digits.store import Store

# How long a request may wait for a look. The first does longer: a cold start may take a
# second, and an old model is a pity. S3 answers in some 30 ms, and Lambda stops a
# process between two requests, its looks and all. So most looks end within the request
# that begins them, and the others within the next ones.
FIRST_PATIENCE, PATIENCE = 1.0, 0.05
# How many requests wait for one look: a store that hangs is soon waited for no more.
_WAITS = 3
# A look that takes longer is a problem to tell of. It goes on, and counts if it succeeds.
DEADLINE = 10.0
# From a failed look to the next one: a second, then twice as long each time.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


class LiveModel:
    """Holds the loaded classifier, and swaps it when a newer release is there.

    It looks for one beside the requests, one look at a time. A release that cannot be
    loaded, or a store that does not answer, leaves the loaded model in place. For one
    request at a time.

    Args:
        store: where the releases are.
        bundled: the folder of the model that answers until there is a release.
        ttl: seconds after a look until the next one begins.
        logger: hears of every swap, and of every one that failed.
        first_look: finds the live release, and has begun to.

    Attributes:
        release: the number of the release that answers; None before the first.
        problem: why the live release may be another than the one that answers; None if all is well.
        checked: when a look last succeeded; None before the first.
    """

    def __init__(
        self,
        store: Store,
        bundled: Path,
        ttl: float,
        logger: Logger | logging.Logger,
        first_look: Future[Served | None] | None = None,
    ) -> None:
        self._store = store
        self._ttl = ttl
        self._logger = logger
        self._bundled = load_folder(bundled)
        self._classifier = self._bundled
        self._thread = ThreadPoolExecutor(1)
        self._look = first_look
        self._began = monotonic()
        self._next_look = float("-inf")
        self._patience = FIRST_PATIENCE
        self._waits = _WAITS
        self._pause = _FIRST_PAUSE
        self.release: int | None = None
        self.problem: str | None = None
        self.checked: datetime | None = None

    def current(self) -> Classifier:
        """The classifier to use now."""
        self._take()
        if self._look is None and monotonic() >= self._next_look:
            self._look = self._thread.submit(
                releases.find_newer, self._store, self.release
            )
            self._began = monotonic()
            self._waits = _WAITS
        if self._look and self._waits:
            self._waits -= 1
            wait([self._look], self._patience)
            self._patience = PATIENCE
            self._take()
        return self._classifier

    def _take(self) -> None:
        """Use what a look found, if it has ended."""
        look = self._look
        if look is None:
            return
        if not look.done():
            if not self._waits and monotonic() - self._began > DEADLINE:
                self.problem = (
                    f"The object store has not answered for {DEADLINE:.0f} s."
                )
            return
        self._look = None
        try:
            self._swap(look.result())
        except Exception as error:  # noqa: BLE001  whatever is wrong with a release, the loaded model goes on
            self._note_failure(error)
        else:
            self._pause = _FIRST_PAUSE
            self._next_look = self._began + self._ttl
            self.problem = None
            self.checked = datetime.now(UTC)

    def _swap(self, served: Served | None) -> None:
        if served is None:
            return
        self._classifier = Classifier(*served.model) if served.model else self._bundled
        self.release = served.number
        self._logger.info(
            "Release %d: model %s answers now",
            served.number,
            self._classifier.manifest.version,
        )

    def _note_failure(self, error: Exception) -> None:
        self.problem = (
            error.detail
            if isinstance(error, DigitsError)
            else f"{type(error).__name__}: {error}"
        )
        self._logger.warning(
            "The live release cannot be loaded, so the loaded model goes on: %s",
            self.problem,
        )
        self._next_look = monotonic() + max(self._ttl, self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)


def load_live(store: Store, bundled: Path) -> Classifier:
    """The live model, looked for at once and however long it takes.

    Raises:
        DamagedObjectError: the live release cannot be loaded.
        StoreError: the store does not answer.
    """
    served = releases.find_newer(store, None)
    return (
        Classifier(*served.model) if served and served.model else load_folder(bundled)
    )


def load_folder(folder: Path) -> Classifier:
    """The model in a folder, such as the bundled one."""
    manifest = manifests.parse_manifest((folder / MANIFEST_FILE).read_bytes())
    return Classifier(manifest, (folder / MODEL_FILE).read_bytes())
