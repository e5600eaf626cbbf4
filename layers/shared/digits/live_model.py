"""The model to answer with: the live release of the store, or the one bundled with the code."""

import logging
from concurrent.futures import Future
from pathlib import Path
from time import monotonic

from aws_lambda_powertools import Logger

from digits import models, releases
from digits.classifier import Classifier
from digits.errors import DigitsError
from digits.models import MANIFEST_FILE, MODEL_FILE
from digits.releases import Served
from digits.store import Store


class LiveModel:
    """Holds the loaded classifier, and swaps it when a newer release is there.

    A release that cannot be read, a damaged one or a store that does not answer leaves the loaded model in place.

    Args:
        store: where the releases are.
        bundled: the folder of the model that answers until there is a release.
        ttl: seconds during which the loaded model is not questioned.
        logger: hears of every swap, and of every one that failed.
        first_look: finds the live release, and has begun to. It counts for `ttl` seconds: an environment that Lambda
            keeps provisioned may wait for hours.
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
        self._first_look = first_look
        self._first_look_ends = monotonic() + ttl
        self._classifier = load_folder(bundled)
        self._next_look = float("-inf")
        self.release: int | None = None
        self.problem: str | None = None

    def current(self) -> Classifier:
        """The classifier to use now."""
        now = monotonic()
        if now >= self._next_look:
            self._next_look = now + self._ttl
            self._refresh(now)
        return self._classifier

    def _refresh(self, now: float) -> None:
        first, self._first_look = self._first_look, None
        try:
            if first and now < self._first_look_ends:
                self._next_look = self._first_look_ends
                served = first.result()
            else:
                served = releases.look(self._store, self.release)
            if served:
                self._swap(served)
        except DigitsError as error:
            self.problem = error.detail
            self._logger.warning("The live release cannot be read, so the loaded model goes on: %s", error.detail)
        else:
            self.problem = None

    def _swap(self, served: Served) -> None:
        self._classifier = Classifier(served.manifest, served.model)
        self.release = served.number
        self._logger.info("Release %d: model %s answers now", served.number, served.manifest.version)


def load_folder(folder: Path) -> Classifier:
    """The model in a folder, such as the bundled one."""
    manifest = models.parse_manifest((folder / MANIFEST_FILE).read_bytes())
    return Classifier(manifest, (folder / MODEL_FILE).read_bytes())
