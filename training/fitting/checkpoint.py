"""The last kept epoch of a job: its weights and the optimiser's state, in the store."""

import logging
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

from digits.errors import MissingObjectError
from digits.jobs import checkpoint_key
from digits.store import Store

# Importing Keras takes seconds, and deleting a checkpoint does not need Keras.
if TYPE_CHECKING:
    import keras

# From one save to the next, in multiples of what the first save took: so that a training
# spends a twentieth of its time on saving at most.
_INTERVAL = 20
# Seconds. A save may have waited for a store that did not answer.
_LONGEST_INTERVAL = 300.0

logger = logging.getLogger(__name__)


class Checkpoint:
    """The checkpoint of one job: one object, so that a reader finds all of it or nothing."""

    def __init__(self, store: Store, job_id: str) -> None:
        self._store = store
        self._key = checkpoint_key(job_id)
        self._next_save = time.monotonic()

    def save(self, model: "keras.Model") -> None:
        """Replace the kept model, unless the last save was a moment ago."""
        began = time.monotonic()
        if began < self._next_save:
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "checkpoint.keras"
            model.save(path)
            self._store.write(self._key, path.read_bytes())
        ended = time.monotonic()
        interval = min(_INTERVAL * (ended - began), _LONGEST_INTERVAL)
        self._next_save = ended + interval

    def load(self) -> "keras.Model | None":
        """The compiled model that was kept; None without a checkpoint that can be read."""
        from keras.saving import load_model  # noqa: PLC0415

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "checkpoint.keras"
            try:
                with path.open("wb") as file:
                    self._store.download(self._key, file)
                return load_model(path)
            except MissingObjectError:
                return None
            except (BadZipFile, KeyError, OSError, ValueError) as error:
                logger.warning(
                    "The checkpoint cannot be read. The training starts over. %s", error
                )
                return None

    def delete(self) -> None:
        """Delete the checkpoint."""
        self._store.delete(self._key)
