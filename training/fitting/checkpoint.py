"""A job's last kept epoch in the store, `jobs/<job_id>/checkpoint.keras`: the weights and the optimiser's state."""

import logging
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

from digits.errors import MissingObjectError
from digits.store import Store

# Loading it takes seconds, and forgetting a checkpoint needs none of it.
if TYPE_CHECKING:
    import keras

# From one save to the next, in the time that the first took: so that saving is a
# twentieth of a training at most.
_INTERVAL = 20
# In seconds: a save may have waited for a store that did not answer.
_LONGEST = 300.0

logger = logging.getLogger(__name__)


class Checkpoint:
    """The checkpoint of one job. One object, so that it is there whole or not at all."""

    def __init__(self, store: Store, job_id: str) -> None:
        self._store = store
        self._key = f"jobs/{job_id}/checkpoint.keras"
        self._next = time.monotonic()

    def save(self, model: "keras.Model") -> None:
        """Keep the model as it is now, in place of what was kept before; unless that was a moment ago."""
        began = time.monotonic()
        if began < self._next:
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "checkpoint.keras"
            model.save(path)
            self._store.write(self._key, path.read_bytes())
        ended = time.monotonic()
        self._next = ended + min(_INTERVAL * (ended - began), _LONGEST)

    def load(self) -> "keras.Model | None":
        """The compiled model that was kept; None when there is none, or none that can be read."""
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
                    "The checkpoint cannot be read, so the training starts over: %s",
                    error,
                )
                return None

    def delete(self) -> None:
        """Forget it."""
        self._store.delete(self._key)
