"""The model to answer with: the live release's, or the model bundled with the code."""

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

# Seconds that a request waits for a search. The first request waits longer: a cold start
# may take a second, and should not answer with an old model. S3 answers in about 30 ms,
# and Lambda freezes a process between two requests. So most searches end within the
# request that begins the search, and the others within the next requests.
FIRST_PATIENCE, PATIENCE = 1.0, 0.05
# The number of requests that wait for one search, because a store may hang.
_WAITS = 3
# Seconds after which a running search is reported as a problem. The search continues, and
# counts if it succeeds.
DEADLINE = 10.0
# Seconds from a failed search to the next search. The pause doubles with every failure.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


class LiveModel:
    """Holds the loaded classifier, and swaps the classifier when there is a newer release.

    A thread searches for newer releases, one search at a time. The loaded model stays in
    place if a release cannot be loaded, or the store does not answer. For one request at
    a time.

    Args:
        store: has the releases.
        bundled: the folder of the model that answers before the first release.
        ttl: seconds from the beginning of a search to the next search.
        logger: logs every swap, and every failed search.
        first_search: a search that has begun.

    Attributes:
        release: the number of the loaded release; None before the first.
        problem: why the loaded model may not be the live model; None without a problem.
        checked: when a search last succeeded; None before the first success.
    """

    def __init__(
        self,
        store: Store,
        bundled: Path,
        ttl: float,
        logger: Logger | logging.Logger,
        first_search: Future[Served | None] | None = None,
    ) -> None:
        self._store = store
        self._ttl = ttl
        self._logger = logger
        self._bundled = load_folder(bundled)
        self._classifier = self._bundled
        self._thread = ThreadPoolExecutor(1)
        self._search = first_search
        self._began = monotonic()
        self._next_search = float("-inf")
        self._patience = FIRST_PATIENCE
        self._waits = _WAITS
        self._pause = _FIRST_PAUSE
        self.release: int | None = None
        self.problem: str | None = None
        self.checked: datetime | None = None

    def current(self) -> Classifier:
        """The classifier to use now."""
        self._take_result()
        if self._search is None and monotonic() >= self._next_search:
            self._search = self._thread.submit(
                releases.find_newer, self._store, self.release
            )
            self._began = monotonic()
            self._waits = _WAITS
        if self._search and self._waits:
            self._waits -= 1
            wait([self._search], self._patience)
            self._patience = PATIENCE
            self._take_result()
        return self._classifier

    def _take_result(self) -> None:
        """Use the result of the search, if the search has ended."""
        search = self._search
        if search is None:
            return
        if not search.done():
            if not self._waits and monotonic() - self._began > DEADLINE:
                self.problem = (
                    f"The object store has not answered for {DEADLINE:.0f} s."
                )
            return
        self._search = None
        try:
            self._swap(search.result())
        # Whatever is wrong with a release, the loaded model continues to answer.
        except Exception as error:  # noqa: BLE001
            self._note_failure(error)
        else:
            self._pause = _FIRST_PAUSE
            self._next_search = self._began + self._ttl
            self.problem = None
            self.checked = datetime.now(UTC)

    def _swap(self, served: Served | None) -> None:
        if served is None:
            return
        self._classifier = Classifier(*served.model) if served.model else self._bundled
        self.release = served.number
        version = self._classifier.manifest.version
        self._logger.info("Release %d: model %s is live", served.number, version)

    def _note_failure(self, error: Exception) -> None:
        if isinstance(error, DigitsError):
            self.problem = error.detail
        else:
            self.problem = f"{type(error).__name__}: {error}"
        self._logger.warning(
            "The live release cannot be loaded. The loaded model continues to answer: %s",
            self.problem,
        )
        self._next_search = monotonic() + max(self._ttl, self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)


def load_live(store: Store, bundled: Path) -> Classifier:
    """Load the live model, without a limit on the time.

    Raises:
        DamagedObjectError: the live release cannot be loaded.
        StoreError: the store does not answer.
    """
    served = releases.find_newer(store, None)
    if served and served.model:
        return Classifier(*served.model)
    return load_folder(bundled)


def load_folder(folder: Path) -> Classifier:
    """Load the model in a folder, such as the bundled model."""
    manifest = manifests.parse_manifest((folder / MANIFEST_FILE).read_bytes())
    model = (folder / MODEL_FILE).read_bytes()
    return Classifier(manifest, model)
